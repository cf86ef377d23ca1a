// The names in patch strings, the kinds of mocks, and a whole workspace: what VS Code shows of them.

import { after, before, test } from 'node:test';

import { Workbench, assert, steps, until } from './workbench.mjs';

const FILE = 'tests/unit/test_browser_service.py';
let vscode;

before(async () => {
  vscode = await Workbench.start({ settings: { 'understudy.diagnosticMode': 'workspace' } });
});
after(() => vscode?.stop());

const step = steps(test, () => vscode);

/** Row and column of a text in the file, both from 1, and of a word in that text. */
async function place(text, word) {
  const lines = (await vscode.text(FILE)).split('\n');
  const row = lines.findIndex((line) => line.includes(text));
  return [row + 1, lines[row].indexOf(text) + text.indexOf(word) + 1];
}

step('30-workspace', 'findings of files that nobody opened', async () => {
  await vscode.open(FILE, 1, 1);
  await until('findings of several files', async () => {
    const rows = (await vscode.problems()).join('\n');
    return /models\.py ?backend\/audit/.test(rows) && rows.includes('US308');
  });
});

step('31-inlay-hints', 'the kind of mock that a patch injects', async () => {
  const [row] = await place('with patch("tools.browser_tool.execute_browser_action") as execute:', 'with');
  await vscode.open(FILE, row, 1);
  await vscode.line('with patch("tools.browser_tool.execute_browser_action") as execute: AsyncMock:');
});

step('32-definition', 'from a patch string to what it names', async () => {
  await vscode.open(FILE, ...(await place('"tools.browser_tool.execute_browser_action"', 'execute_browser_action')));
  await vscode.press('F12');
  const lines = (await vscode.text('backend/tools/browser_tool.py')).split('\n');
  await vscode.at('browser_tool.py', lines.findIndex((line) => line.includes('def execute_browser_action(')) + 1);
});

step('33-completion', 'names in a patch string', async () => {
  const [row] = await place('execute.assert_awaited_once_with("navigate"', 'execute');
  await vscode.open(FILE, row, 1);
  await vscode.press('End', 'Enter');
  // The last dot asks; what is typed after it chooses.
  await vscode.type('patch("tools.browser_tool.');
  await vscode.page.locator('.suggest-widget.visible .monaco-list-row').first().waitFor();
  await vscode.type('take_s');
  await vscode.page.locator('.suggest-widget.visible .monaco-list-row', { hasText: 'take_screenshot' }).first().waitFor();
});

step('34-completed', 'the name that is chosen', async () => {
  await vscode.press('Tab');
  await vscode.line('    patch("tools.browser_tool.take_screenshot")');
  assert.ok(await vscode.page.locator('.tab.active.dirty').count());
  await vscode.revert();
});
