// What a person sees and does in VS Code with the example backend open. The steps build on one another: one workbench
// serves them all, and each leaves a screenshot.

import fs from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Workbench, assert, steps, until } from './workbench.mjs';

const FILE = 'tests/unit/test_proposal_service.py';
const LARGE = 'large.py';
let vscode;

before(async () => {
  vscode = await Workbench.start({
    settings: { '[python]': { 'editor.codeActionsOnSave': { 'source.fixAll.understudy': 'explicit' } } },
    prepare: (folder) => fs.writeFile(path.join(folder, LARGE), '# More than a pipe takes.\n'.repeat(100_000)),
  });
});
after(() => vscode?.stop());

const step = steps(test, () => vscode);

step('01-squiggles', 'findings are underlined', async () => {
  await vscode.open(FILE, 16, 31);
  await vscode.squiggles().first().waitFor();
});

step('02-problems', 'the Problems panel has the findings and the places that play a part', async () => {
  const [finding, made, awaited] = await until('the finding with its places', async () => {
    const rows = await vscode.problems();
    const at = rows.findIndex((row) => row.includes('[Ln 16, Col 31]'));
    return at >= 0 && rows.slice(at, at + 3);
  });
  assert.match(finding, /`create` awaits `self\.session\.commit\(\)`.*understudy.*US108/);
  assert.match(made, /test_proposal_service\.py ?\[Ln 15, Col 15\] ?: ?made here: a MagicMock/);
  assert.match(awaited, /proposal_service\.py ?\[Ln 35, Col 9\] ?: ?awaited here/);
});

step('03-hover', 'hovering over a finding explains its rule', async () => {
  await vscode.open(FILE, 16, 31);
  await vscode.press('Control+K', 'Control+I');
  const hover = vscode.page.locator('.monaco-hover:visible', { hasText: 'US108 mock-awaited-by-callee' });
  await hover.waitFor();
  assert.match(await hover.innerText(), /make `session` an AsyncMock/);
});

step('04-light-bulb', 'the light bulb offers the fix', async () => {
  await vscode.open(FILE, 16, 31);
  await vscode.press('Control+.');
  await vscode.page.locator('.action-widget .monaco-list-row.focused', { hasText: 'Make it an AsyncMock' }).waitFor();
});

step('05-mended', 'the fix mends the test, and the finding goes', async () => {
  await vscode.press('Enter');
  await until('the finding to go', async () => !(await vscode.problems()).some((row) => row.includes('[Ln 16, Col 31]')));
  await vscode.line('    session = AsyncMock()');
});

step('06-fix-all-on-save', 'all safe fixes are applied on save', async () => {
  // The edit before is not saved yet.
  const fixable = (await vscode.problems()).filter((row) => row.includes('US109'));
  assert.equal(fixable.length, 2);
  await vscode.save();
  await until('the fixed file', async () => {
    const text = await vscode.text(FILE);
    return text.includes('    session = AsyncMock()\n') && text.includes('session.execute.return_value = MagicMock()') && text.includes('db.execute.return_value = MagicMock()');
  });
  await until('the findings to go', async () => !(await vscode.problems()).some((row) => row.includes('US109')));
});

step('07-status', 'the language status names the server', async () => {
  await vscode.open(FILE, 1, 1);
  await vscode.languageStatus(/^Understudy \d+\.\d+\.\d+ Python 3\.\d+\.\d+ \(python3\) Restart/);
});

step('08-restart', 'a restarted server finds the same again', async () => {
  const before = (await vscode.problems()).filter((row) => row.includes('US108'));
  assert.ok(before.length > 0);
  await vscode.command('Understudy: Restart Server');
  await until('the findings to be taken back or the server to be another', async () => (await vscode.logLines('starting')) === 2);
  await until('the same findings', async () => {
    const rows = (await vscode.problems()).filter((row) => row.includes('US108'));
    return rows.length === before.length;
  });
});

step('09-explain', 'a rule is explained on a page of its own', async () => {
  await vscode.open(FILE, 1, 1);
  await vscode.command('Understudy: Explain a Rule');
  const input = vscode.page.locator('.quick-input-widget input');
  await input.fill('US108');
  await vscode.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: 'mock-awaited-by-callee' }).waitFor();
  await vscode.press('Enter');
  const preview = vscode.page.frameLocator('iframe.webview.ready').frameLocator('#active-frame');
  await preview.getByRole('heading', { name: 'What it finds' }).waitFor();
});

step('10-fix-all', 'the command applies all safe fixes of a file', async () => {
  const file = 'tests/unit/test_trigger_service.py';
  const [errors, warnings] = await vscode.counts();
  await vscode.open(file, 33, 27);
  // A US108 and a US109 with safe fixes, and a US205 without one.
  await until('the findings', async () => String(await vscode.counts()) === String([errors + 2, warnings + 1]));
  await vscode.command('Understudy: Apply All Safe Fixes in This File');
  await until('the errors to go', async () => String(await vscode.counts()) === String([errors, warnings + 1]));
  await vscode.save();
});

/** Kill a server, and wait until another one has found something. */
async function isStartedAgain(first) {
  process.kill(first, 'SIGKILL');
  await until('another server', async () => {
    const now = await vscode.servers();
    return now.length === 1 && now[0] !== first;
  });
  // One row further down since the fix.
  await vscode.open(FILE, 40, 37);
  await vscode.squiggles().first().waitFor();
}

step('11-crash', 'a server that dies is started again', async () => {
  const [first] = await until('the server', () => vscode.servers());
  await isStartedAgain(first);
  await vscode.languageStatus(/^Understudy \d.*Restart/);
  await vscode.mouseAway();
});

step('12-clear-cache', 'after the cache was cleared, the same is found', async () => {
  const before = await vscode.problems();
  await vscode.command('Understudy: Clear the Cache');
  await until('the cache to be cleared', async () => (await vscode.logLines('the cache is cleared')) === 1);
  await until('the same findings', async () => (await vscode.problems()).join() === before.join());
});

step('13-logs', 'the log says what was started', async () => {
  await vscode.command('Understudy: Show Logs');
  await vscode.page.locator('#workbench\\.parts\\.panel .view-line', { hasText: /starting.Understudy/ }).first().waitFor();
});

step('14-crash-while-written-to', 'a server that dies while it is written to is started again, too', async () => {
  const [first] = await until('the server', () => vscode.servers());
  process.kill(first, 'SIGSTOP');
  await vscode.open(LARGE, 1, 1);
  // An extension that answers has been told of the file, too, and is writing that to the server.
  await vscode.command('Understudy: Explain a Rule');
  await vscode.page.locator('.quick-input-list .monaco-list-row', { hasText: 'awaited-sync-mock' }).first().waitFor();
  await vscode.press('Escape');
  await isStartedAgain(first);
});

step('15-walkthrough', 'the walkthrough shows the pictures', async () => {
  await vscode.press('Control+J');
  await vscode.command('Welcome: Open Walkthrough...');
  await vscode.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Get Started with Understudy' }).click();
  const picture = vscode.page.locator('.gettingStartedContainer .getting-started-media img');
  await until('the picture', () => picture.first().evaluate((image) => image.complete && image.naturalWidth > 0));
});
