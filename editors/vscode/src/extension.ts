/** Understudy in VS Code: starts the server, keeps it running, and says what is wrong when it cannot. */

import * as vscode from 'vscode';
import { State, Trace, type LanguageClient } from 'vscode-languageclient/node';

import { makeClient, settingsChanged, type Surroundings } from './client';
import { NoProgramError, findProgram, type Program } from './program';
import { Selection } from './python';
import { Pages } from './rules';
import { RESTARTING, SECTION, serverSettings, type Problem } from './settings';
import { Status, openSettings } from './status';

const CLEAR_CACHE = 'understudy.clearCache';
/** Milliseconds that a message stands in the status bar. */
const SHOWN = 5000;

class Extension implements vscode.Disposable {
  private readonly log = vscode.window.createOutputChannel('Understudy', { log: true });
  private readonly status = new Status();
  private readonly selection = new Selection(this.log);
  private readonly pages: Pages;
  private readonly disposables: vscode.Disposable[];
  private client: LanguageClient | undefined;
  private program: Program | undefined;
  private complaint = '';
  /** Starts and stops, one after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly context: vscode.ExtensionContext) {
    this.pages = new Pages(() => this.program, context.extensionPath);
    this.disposables = [this.log, this.status, this.selection, this.pages];
    this.command('restartServer', () => this.restart());
    this.command('showServerLogs', () => this.log.show());
    this.command('explainRule', (code?: unknown) => this.pages.explain(typeof code === 'string' ? code : undefined));
    this.command('fixAllInFile', () =>
      vscode.commands.executeCommand('editor.action.codeAction', { kind: 'source.fixAll.understudy', apply: 'ifSingle' }),
    );
    this.command('clearServerCache', () => this.clearCache());
    this.disposables.push(
      vscode.workspace.onDidChangeConfiguration((event) => this.configurationChanged(event)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.restart()),
      this.selection.onDidChange(() => this.interpreterChanged()),
    );
  }

  restart(): Promise<void> {
    this.turn = this.turn.then(async () => {
      await this.stop();
      await this.start();
    });
    return this.turn;
  }

  private async start(): Promise<void> {
    this.status.starting();
    const settings = serverSettings();
    this.complain(settings.problems);
    const start = vscode.Uri.joinPath(this.context.extensionUri, 'bundled', 'start.py').fsPath;
    try {
      const program = await findProgram(settings, this.selection, start);
      this.program = program;
      const client = makeClient(program, settings, this.surroundings());
      this.client = client;
      client.onDidChangeState(({ newState }) => {
        if (this.client !== client) {
          return;
        }
        if (newState === State.Running) {
          this.status.running(program, settings.problems);
        } else if (newState === State.Stopped) {
          this.status.failed('the server has stopped');
        }
      });
      await client.start();
    } catch (error) {
      this.client = undefined;
      this.failed(error);
    }
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.program = undefined;
    if (client !== undefined) {
      // A server that hangs or has not come up cannot be asked to stop.
      await client.dispose().catch((error: unknown) => this.log.warn(`the server did not stop in order: ${String(error)}`));
    }
  }

  private failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.log.error(message);
    const { brief, setting } = error instanceof NoProgramError ? error : { brief: 'the server did not start', setting: undefined };
    this.status.failed(brief, setting);
    const choices = [...(setting === undefined ? [] : ['Open Settings']), 'Show Logs', 'Try Again'];
    void vscode.window.showErrorMessage(message, ...choices).then((choice) => {
      if (choice === 'Open Settings' && setting !== undefined) {
        return this.openSettings(setting);
      }
      if (choice === 'Try Again') {
        return this.restart();
      }
      return choice === undefined ? undefined : this.log.show();
    });
  }

  /** What is wrong with the settings is told once, and again only when it is something else. */
  private complain(problems: readonly Problem[]): void {
    const message = problems.map(({ text }) => text).join('; ');
    const [first] = problems;
    if (message !== this.complaint && first !== undefined) {
      this.log.warn(message);
      void vscode.window.showWarningMessage(`${message}. The default counts.`, 'Open Settings').then((choice) =>
        choice === undefined ? undefined : this.openSettings(first.setting),
      );
    }
    this.complaint = message;
  }

  private openSettings(setting: string): Thenable<unknown> {
    const { command, arguments: values } = openSettings(setting);
    return vscode.commands.executeCommand(command, ...values);
  }

  private surroundings(): Surroundings {
    return { log: this.log, status: this.status, selection: this.selection, folder: this.context.extensionPath };
  }

  private async configurationChanged(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (RESTARTING.some((key) => event.affectsConfiguration(key))) {
      await this.restart();
    } else if (event.affectsConfiguration(SECTION) && this.client?.isRunning() && this.program !== undefined) {
      const { trace, problems } = serverSettings();
      this.complain(problems);
      this.status.running(this.program, problems);
      await this.client.setTrace(Trace.fromString(trace));
      await settingsChanged(this.client);
    }
  }

  /** It counts for the project, and, where nothing else is set, for the server itself. */
  private async interpreterChanged(): Promise<void> {
    if (this.client?.isRunning()) {
      await settingsChanged(this.client);
    } else {
      await this.restart();
    }
  }

  private async clearCache(): Promise<void> {
    const commands = this.client?.initializeResult?.capabilities.executeCommandProvider?.commands ?? [];
    if (!commands.includes(CLEAR_CACHE)) {
      // A server that offers no such command keeps everything in memory.
      await this.restart();
      return;
    }
    await vscode.commands.executeCommand(CLEAR_CACHE);
    this.log.info('the cache is cleared');
    vscode.window.setStatusBarMessage('Understudy: the cache is cleared', SHOWN);
  }

  private command(name: string, run: (...values: unknown[]) => unknown): void {
    this.disposables.push(vscode.commands.registerCommand(`${SECTION}.${name}`, run));
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }
}

let extension: Extension | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  extension = new Extension(context);
  context.subscriptions.push(extension);
  await extension.restart();
}

export async function deactivate(): Promise<void> {
  await extension?.stop();
}
