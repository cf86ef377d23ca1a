/** The entry in the language status menu (`{}` in the status bar of a Python file). */

import * as vscode from 'vscode';

export class Status implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem('understudy', { language: 'python' });
  private readonly work = new Map<string | number, string>();
  private ready = '';

  constructor() {
    this.item.name = 'Understudy';
  }

  starting(): void {
    this.work.clear();
    this.show('Understudy: starting', vscode.LanguageStatusSeverity.Information, 'Show Logs', 'understudy.showServerLogs');
    this.item.busy = true;
  }

  running(description: string, problems: readonly string[]): void {
    this.ready = description;
    if (problems.length > 0) {
      const settings = 'workbench.action.openSettings';
      this.show('Understudy: a setting is wrong', vscode.LanguageStatusSeverity.Warning, 'Open Settings', settings, 'understudy');
      this.item.detail = problems.join('; ');
      return;
    }
    this.show('Understudy', vscode.LanguageStatusSeverity.Information, 'Restart', 'understudy.restartServer');
    this.progress();
  }

  failed(message: string): void {
    this.work.clear();
    this.show('Understudy: not running', vscode.LanguageStatusSeverity.Error, 'Restart', 'understudy.restartServer');
    this.item.detail = message;
  }

  /** Work that the server reports; undefined ends it. */
  working(token: string | number, what: string | undefined): void {
    if (what === undefined) {
      this.work.delete(token);
    } else {
      this.work.set(token, what);
    }
    this.progress();
  }

  private progress(): void {
    const [what] = [...this.work.values()].slice(-1);
    this.item.busy = what !== undefined;
    this.item.detail = what ?? this.ready;
  }

  private show(
    text: string,
    severity: vscode.LanguageStatusSeverity,
    title: string,
    command: string,
    ...commandArguments: unknown[]
  ): void {
    this.item.busy = false;
    this.item.text = text;
    this.item.detail = '';
    this.item.severity = severity;
    this.item.command = { title, command, arguments: commandArguments };
  }

  dispose(): void {
    this.item.dispose();
  }
}
