/** The entry in the language status menu (`{}` in the status bar of a Python file). It is one line: what is long goes
 * into the log and into messages. */

import * as vscode from 'vscode';

import type { Program } from './program';
import { SECTION, type Problem } from './settings';

type Action = 'Restart' | 'Show Logs' | 'Open Settings';

export class Status implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem('understudy', { language: 'python' });
  private readonly work = new Map<string | number, string>();
  /** What stands there while nothing is done. */
  private idle = '';

  constructor() {
    this.item.name = 'Understudy';
  }

  starting(): void {
    this.work.clear();
    this.show('Understudy', 'starting', vscode.LanguageStatusSeverity.Information, 'Show Logs');
    this.item.busy = true;
  }

  running(program: Program, problems: readonly Problem[]): void {
    const [problem, ...others] = problems;
    if (problem === undefined) {
      this.show(program.name, program.place, vscode.LanguageStatusSeverity.Information, 'Restart');
    } else {
      const wrong = others.length > 0 ? `${problem.setting} is wrong, and ${others.length} more` : `${problem.setting} is wrong`;
      this.show('Understudy', wrong, vscode.LanguageStatusSeverity.Warning, 'Open Settings', problem.setting);
    }
    this.progress();
  }

  /** `setting`: the one that would help. */
  failed(what: string, setting?: string): void {
    this.work.clear();
    const action = setting === undefined ? 'Show Logs' : 'Open Settings';
    this.show('Understudy is not running', what, vscode.LanguageStatusSeverity.Error, action, setting);
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
    const what = [...this.work.values()].at(-1);
    this.item.busy = what !== undefined;
    this.item.detail = what ?? this.idle;
  }

  private show(text: string, detail: string, severity: vscode.LanguageStatusSeverity, action: Action, setting = SECTION): void {
    this.idle = detail;
    this.item.busy = false;
    this.item.text = text;
    this.item.detail = detail;
    this.item.severity = severity;
    this.item.command = {
      Restart: { title: action, command: 'understudy.restartServer' },
      'Show Logs': { title: action, command: 'understudy.showServerLogs' },
      'Open Settings': { title: action, ...openSettings(setting) },
    }[action];
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** The command that shows a setting. Settings of this machine have a page of their own when the workspace is on another. */
export function openSettings(setting: string): { command: string; arguments: unknown[] } {
  const page = vscode.env.remoteName === undefined ? 'openSettings' : 'openRemoteSettings';
  return { command: `workbench.action.${page}`, arguments: [{ query: setting }] };
}
