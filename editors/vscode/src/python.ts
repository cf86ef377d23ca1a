/** What the Python extension knows, when it is there: the interpreter that is selected for a folder. */

import { PythonExtension } from '@vscode/python-extension';
import * as vscode from 'vscode';

const EXTENSION = 'ms-python.python';

export class Selection implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly disposables: vscode.Disposable[] = [this.changed];
  /** Fires when another interpreter is selected, or the Python extension comes. */
  readonly onDidChange = this.changed.event;
  private known: Promise<PythonExtension | undefined> | undefined;

  constructor(private readonly log: vscode.LogOutputChannel) {
    this.disposables.push(
      vscode.extensions.onDidChange(() => {
        if (this.known === undefined && vscode.extensions.getExtension(EXTENSION) !== undefined) {
          this.changed.fire();
        }
      }),
    );
  }

  /**
   * The interpreter of the selected environment, or undefined: without the Python extension, in a workspace
   * that is not trusted (it may name any program), or when nothing but the system's Python is selected.
   */
  async interpreter(scope: vscode.Uri | undefined): Promise<string | undefined> {
    if (!vscode.workspace.isTrusted) {
      return undefined;
    }
    const python = await this.api();
    if (python === undefined) {
      return undefined;
    }
    try {
      const active = python.environments.getActiveEnvironmentPath(scope);
      const resolved = await python.environments.resolveEnvironment(active);
      return resolved?.environment === undefined ? undefined : resolved.executable.uri?.fsPath;
    } catch (error) {
      this.log.warn(`the Python extension could not name its interpreter: ${String(error)}`);
      return undefined;
    }
  }

  private api(): Promise<PythonExtension | undefined> {
    if (vscode.extensions.getExtension(EXTENSION) === undefined) {
      return Promise.resolve(undefined);
    }
    this.known ??= this.connect();
    return this.known;
  }

  private async connect(): Promise<PythonExtension | undefined> {
    try {
      const python = await PythonExtension.api();
      this.disposables.push(python.environments.onDidChangeActiveEnvironmentPath(() => this.changed.fire()));
      return python;
    } catch (error) {
      this.log.warn(`the Python extension does not answer: ${String(error)}`);
      return undefined;
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }
}
