/** The language client: how the server is started and what passes between it and VS Code. */

import * as readline from 'node:readline';

import * as vscode from 'vscode';
import {
  DidChangeConfigurationNotification,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  Trace,
  type LanguageClientOptions,
} from 'vscode-languageclient/node';

import type { Program } from './program';
import type { Selection } from './python';
import { SECTION, analysisSettings, type ServerSettings } from './settings';
import type { Status } from './status';

export interface Surroundings {
  readonly log: vscode.LogOutputChannel;
  readonly status: Status;
  readonly selection: Selection;
  /** Where the server runs: not in the workspace, whose files Python could take for modules. */
  readonly folder: string;
}

export function makeClient(program: Program, settings: ServerSettings, surroundings: Surroundings): LanguageClient {
  const { log, folder } = surroundings;
  const options = ['server', '--log-level', settings.logLevel, ...settings.args];
  const executable = { command: program.command, args: [...program.prefix, ...options], options: { cwd: folder } };
  const client = new LanguageClient(SECTION, 'Understudy', executable, clientOptions(surroundings));
  const usual = client.createDefaultErrorHandler();
  client.clientOptions.errorHandler = {
    // A server that dies ends the connection, too, and is started again then. The usual handler (11.0) would stop for
    // good where the editor first hears of a message that could not be written.
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: () => usual.closed(),
  };
  void client.setTrace(Trace.fromString(settings.trace));
  const from = program.location === undefined ? '' : `, from ${program.location}`;
  log.info(`starting ${program.name}, ${program.place}${from}: ${[executable.command, ...executable.args].join(' ')}`);
  return client;
}

/** The settings, or what they are made of, have changed: the server asks for them again. */
export async function settingsChanged(client: LanguageClient): Promise<void> {
  await client.sendNotification(DidChangeConfigurationNotification.type, { settings: null });
}

function clientOptions({ log, status, selection }: Surroundings): LanguageClientOptions {
  /** Of work under way: only its beginning is told with a title. */
  const titles = new Map<string | number, string>();
  return {
    documentSelector: [
      { scheme: 'file', language: 'python' },
      { scheme: 'untitled', language: 'python' },
    ],
    outputChannel: log,
    traceOutputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    stdioOptions: {
      // Standard output carries the protocol.
      stdout: () => undefined,
      stderr: (stream, channel) => readline.createInterface(stream).on('line', (line) => logLine(channel, line)),
    },
    middleware: {
      workspace: {
        configuration: async (params, token, next) => {
          const others = params.items.filter((item) => item.section !== SECTION);
          if (others.length > 0) {
            return next(params, token);
          }
          return Promise.all(
            params.items.map(async ({ scopeUri }) => {
              const scope = scopeUri === undefined ? undefined : vscode.Uri.parse(scopeUri);
              return analysisSettings(scope, await selection.interpreter(scope)).values;
            }),
          );
        },
      },
      provideInlayHints: (document, range, token, next) => {
        const wanted = vscode.workspace.getConfiguration(SECTION, document).get('inlayHints.enable', true);
        return wanted ? next(document, range, token) : [];
      },
      handleWorkDoneProgress: (token, params, next) => {
        if (params.kind === 'begin') {
          // The entry has the name already.
          titles.set(token, params.title.replace(/^Understudy: /, ''));
        }
        const title = titles.get(token) ?? '';
        if (params.kind === 'end') {
          titles.delete(token);
          status.working(token, undefined);
        } else {
          status.working(token, params.message === undefined ? title : `${title}: ${params.message}`);
        }
        next(token, params);
      },
    },
  };
}

/** The server writes `LEVEL logger: message`; a traceback's lines have no level. */
function logLine(channel: vscode.LogOutputChannel, line: string): void {
  const [, level, message] = /^(DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$/.exec(line) ?? [];
  switch (level) {
    case 'DEBUG':
      channel.debug(message ?? '');
      break;
    case 'INFO':
      channel.info(message ?? '');
      break;
    case 'WARNING':
      channel.warn(message ?? '');
      break;
    default:
      channel.error(message ?? line);
  }
}
