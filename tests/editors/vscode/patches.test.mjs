// The names in patch strings, the kinds of mocks, and a whole workspace: what VS Code shows of them.

import fs from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { PATIENCE, Workbench, assert, steps, until } from './workbench.mjs';

const FILE = 'tests/unit/test_browser_service.py';
/** So many more files that a person has time to see that the server works. */
const MORE = 500;
let vscode;

before(async () => {
  vscode = await Workbench.start({
    settings: { 'understudy.diagnosticMode': 'workspace' },
    prepare: async (folder) => {
      const unit = path.join(folder, 'tests/unit');
      await fs.mkdir(path.join(unit, 'more'));
      for (let number = 0; number < MORE; number++) {
        await fs.copyFile(path.join(unit, 'test_export_service.py'), path.join(unit, `more/test_export_${number}.py`));
      }
    },
  });
});
after(() => vscode?.stop());

const step = steps(test, () => vscode);

/** Row and column of a text in the file, both from 1, and of a word in that text. */
async function place(text, word) {
  const lines = (await vscode.text(FILE)).split('\n');
  const row = lines.findIndex((line) => line.includes(text));
  return [row + 1, lines[row].indexOf(text) + text.indexOf(word) + 1];
}

step('40-progress', 'the language status tells how far the check of the workspace is', async () => {
  await vscode.open(FILE, 1, 1);
  await vscode.languageStatus(/^Understudy \d\S* checking governance: \d+ of \d+ files/);
});

step('41-workspace', 'findings of files that nobody opened', async () => {
  await vscode.open(FILE, 1, 1);
  await until('findings of several files', async () => {
    const rows = (await vscode.problems()).join('\n');
    return /models\.py ?backend\/audit/.test(rows) && rows.includes('US308');
  });
  await vscode.mouseAway();
  await until('the end of the check', async () => {
    await vscode.languageStatus(/^Understudy \d\S* Python 3/, 1000);
    return true;
  });
  await vscode.mouseAway();
});

step('42-inlay-hints', 'the kind of mock that a patch injects', async () => {
  const [row] = await place('with patch("tools.browser_tool.execute_browser_action") as execute:', 'with');
  await vscode.open(FILE, row, 1);
  await vscode.line('with patch("tools.browser_tool.execute_browser_action") as execute: AsyncMock:');
});

step('43-definition', 'from a patch string to what it names', async () => {
  await vscode.open(FILE, ...(await place('"tools.browser_tool.execute_browser_action"', 'execute_browser_action')));
  await vscode.press('F12');
  const lines = (await vscode.text('backend/tools/browser_tool.py')).split('\n');
  await vscode.at('browser_tool.py', lines.findIndex((line) => line.includes('def execute_browser_action(')) + 1);
});

step('44-completion', 'names in a patch string', async () => {
  const [row] = await place('execute.assert_awaited_once_with("navigate"', 'execute');
  await vscode.open(FILE, row, 1);
  await vscode.press('End', 'Enter');
  // The last dot asks; what is typed after it chooses.
  // On a busy machine the editor does not close brackets and quotes by itself; where it does, these take their place.
  await vscode.type('patch("")');
  await vscode.press('ArrowLeft', 'ArrowLeft');
  await vscode.type('tools.browser_tool.');
  const offered = vscode.page.locator('.suggest-widget.visible .monaco-list-row');
  await until('the names', async () => {
    try {
      await offered.first().waitFor({ timeout: PATIENCE });
    } catch {
      await vscode.press('Control+Space');
    }
    return (await offered.count()) > 0;
  });
  await vscode.type('take_s');
  await vscode.page.locator('.suggest-widget.visible .monaco-list-row', { hasText: 'take_screenshot' }).first().waitFor();
});

step('45-completed', 'the name that is chosen', async () => {
  await vscode.press('Tab');
  await vscode.line('    patch("tools.browser_tool.take_screenshot")');
  assert.ok(await vscode.page.locator('.tab.active.dirty').count());
});

step('46-rename', 'a name is renamed from inside a patch string', async () => {
  await vscode.revert();
  await vscode.open(FILE, ...(await place('"tools.browser_tool.execute_browser_action"', 'execute_browser_action')));
  await vscode.press('F2');
  const box = vscode.page.locator('.rename-box input');
  await box.waitFor();
  assert.equal(await box.inputValue(), 'execute_browser_action');
  await box.fill('run_browser_action');
});

step('47-renamed', 'it has its new name everywhere', async () => {
  await vscode.press('Enter');
  await vscode.line('with patch("tools.browser_tool.run_browser_action") as execute: AsyncMock:');
  await vscode.line('patch.object(browser_tool, "run_browser_action", AsyncMock(');
  await vscode.command('File: Save All Files');
  const files = [FILE, 'backend/tools/browser_tool.py', 'backend/services/browser_service.py'];
  await until('the saved files', async () => {
    const texts = await Promise.all(files.map((file) => vscode.text(file)));
    return texts.every((text) => text.includes('run_browser_action')) && !texts.join().includes('execute_browser_action');
  });
});

step('48-settings', 'a setting that is changed counts at once', async () => {
  const typo = () => vscode.squiggles('error').or(vscode.squiggles('warning'));
  await typo().first().waitFor();
  const settings = { 'understudy.inlayHints.enable': false, 'understudy.severity': { US201: 'warning' } };
  await vscode.settings(settings);
  await vscode.squiggles('warning').first().waitFor();
  await vscode.line('run_browser_action") as execute:');
  await vscode.settings({ ...settings, 'understudy.configuration': { ignore: ['US2'] } });
  await until('the findings to go', async () => (await typo().count()) === 0);
  assert.equal(await vscode.logLines('starting'), 1);
});

step('49-moved', 'the strings of patches follow a module that is renamed', async () => {
  await vscode.open('backend/tools/browser_tool.py', 1, 1);
  await vscode.command('File: Reveal Active File in Explorer View');
  await vscode.press('F2');
  const box = vscode.page.locator('.explorer-folders-view input');
  await box.waitFor();
  await box.fill('browsing_tool.py');
  await vscode.press('Enter');
  // VS Code asks before it lets an extension change other files.
  await vscode.page.locator('.monaco-dialog-box .monaco-button', { hasText: 'OK' }).click();
  await vscode.page.locator('.tab', { hasText: 'browsing_tool.py' }).waitFor();
  await vscode.page.locator('.tab', { hasText: path.basename(FILE) }).click();
  await vscode.line('with patch("tools.browsing_tool.run_browser_action") as execute:');
});
