/** The pages of rules, shown as Markdown previews. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import * as vscode from 'vscode';

import type { Program } from './program';

const SCHEME = 'understudy-rule';
const run = promisify(execFile);

interface Rule {
  readonly code: string;
  readonly name: string;
  readonly summary?: string;
}

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  constructor(
    private readonly program: () => Program | undefined,
    private readonly folder: string,
  ) {}

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const code = uri.path.replace(/^\//, '').replace(/\.md$/, '');
    return this.ask('rule', code);
  }

  /** Asks for a rule, the ones found under the cursor first, and shows its page. */
  async explain(code?: string): Promise<void> {
    const wanted = code ?? (await this.pick());
    if (wanted !== undefined) {
      await vscode.commands.executeCommand('markdown.showPreview', vscode.Uri.from({ scheme: SCHEME, path: `/${wanted}.md` }));
    }
  }

  private async pick(): Promise<string | undefined> {
    const rules = JSON.parse(await this.ask('rule', '--all', '--output-format', 'json')) as Rule[];
    const here = codesAtCursor();
    const items: (vscode.QuickPickItem & { code: string })[] = rules
      .map((rule) => ({
        code: rule.code,
        label: rule.code,
        description: here.has(rule.code) ? `${rule.name} (found here)` : rule.name,
        detail: rule.summary ?? '',
      }))
      .sort((one, other) => Number(here.has(other.code)) - Number(here.has(one.code)) || one.code.localeCompare(other.code));
    const picked = await vscode.window.showQuickPick(items, { placeHolder: 'Which rule?', matchOnDescription: true, matchOnDetail: true });
    return picked?.code;
  }

  private async ask(...request: string[]): Promise<string> {
    const program = this.program();
    if (program === undefined) {
      throw new Error('Understudy is not running');
    }
    // Markdown in UTF-8, whatever the console's encoding.
    const env = { ...process.env, PYTHONIOENCODING: 'utf-8' };
    const { stdout } = await run(program.command, [...program.prefix, ...request], { cwd: this.folder, env });
    return stdout;
  }

  dispose(): void {
    this.registration.dispose();
  }
}

function codesAtCursor(): Set<string> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    return new Set();
  }
  const found = vscode.languages
    .getDiagnostics(editor.document.uri)
    .filter(({ source, range }) => source === 'understudy' && range.intersection(editor.selection) !== undefined)
    .map(({ code }) => String(typeof code === 'object' ? code.value : code));
  return new Set(found);
}
