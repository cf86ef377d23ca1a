// What a person sees when something is wrong: a bad interpreter, a bad setting, a workspace that is not trusted.

import fs from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { PROGRAM, ROOT, Workbench, assert, steps, until } from './workbench.mjs';

const FILE = 'tests/unit/test_proposal_service.py';

describe('a wrong interpreter', () => {
  let vscode;
  before(async () => {
    vscode = await Workbench.start({ settings: { 'understudy.interpreter': '/no/such/python' } });
  });
  after(() => vscode?.stop());
  const step = steps(test, () => vscode);

  step('20-wrong-interpreter', 'is named in a message with a way out', async () => {
    await vscode.open(FILE, 16, 31);
    const message = vscode.notification('Understudy needs Python 3.10 or newer');
    await message.waitFor();
    assert.match(await message.innerText(), /there is no program \/no\/such\/python\. Correct or empty the setting understudy\.interpreter/);
    for (const choice of ['Open Settings', 'Show Logs', 'Try Again']) {
      await message.getByRole('button', { name: choice }).waitFor();
    }
  });

  step('21-status', 'the language status says so, too', async () => {
    await vscode.languageStatus(/^Understudy is not running no Python 3\.10 or newer Open Settings/);
  });

  step('22-way-out', 'Open Settings leads to the setting', async () => {
    await vscode.mouseAway();
    await vscode.notification('Understudy needs Python').getByRole('button', { name: 'Open Settings' }).click();
    await vscode.page.locator('.settings-editor .setting-item', { hasText: 'Interpreter' }).first().waitFor();
  });

  step('23-mended', 'the server starts once the setting is right', async () => {
    const setting = vscode.page.locator('.settings-editor .setting-item', { hasText: 'Interpreter' }).first();
    await setting.locator('input').fill('python3');
    await vscode.press('Tab');
    await vscode.open(FILE, 16, 31);
    await vscode.squiggles().first().waitFor();
  });
});

describe('settings of the wrong kind', () => {
  let vscode;
  before(async () => {
    vscode = await Workbench.start({ settings: { 'understudy.args': 'verbose', 'understudy.configuration': { ignor: ['US205'] } } });
  });
  after(() => vscode?.stop());
  const step = steps(test, () => vscode);

  step('24-wrong-settings', 'are named, and the defaults used', async () => {
    await vscode.open(FILE, 16, 31);
    await vscode.squiggles().first().waitFor();
    await vscode.notification('understudy.args: expected a list of texts, got "verbose". The default counts.').waitFor();
    await vscode.notification('ignor: unknown key').waitFor();
  });

  step('25-wrong-setting-status', 'are in the language status', async () => {
    await vscode.languageStatus(/^Understudy understudy\.args is wrong Open Settings/);
    await vscode.mouseAway();
  });
});

describe('another server than the bundled one', () => {
  const environment = { 'understudy.importStrategy': 'fromEnvironment', 'understudy.interpreter': path.join(path.dirname(PROGRAM), 'python') };
  let vscode;
  before(async () => {
    vscode = await Workbench.start({ settings: environment });
  });
  after(() => vscode?.stop());
  const step = steps(test, () => vscode);

  step('26-from-environment', 'is the one installed beside the interpreter', async () => {
    await vscode.open(FILE, 16, 31);
    await vscode.squiggles().first().waitFor();
    assert.equal(await vscode.logLines(`, from ${path.join(ROOT, 'server/understudy')}: `), 1);
  });

  step('27-bundled-instead', 'is the bundled one where none is installed', async () => {
    await vscode.settings({ 'understudy.interpreter': 'python3' });
    await until('the bundled server', async () => (await vscode.logLines('bundled/libs/understudy: python3')) === 1);
    await vscode.languageStatus(/^Understudy \d\S* Python 3\.\d+\.\d+ \(python3\)/);
    await vscode.mouseAway();
  });

  step('28-path', 'is the program that is named', async () => {
    await vscode.settings({ 'understudy.path': PROGRAM });
    await until('that program', async () => (await vscode.logLines(`: ${PROGRAM} server`)) === 1);
    await vscode.squiggles().first().waitFor();
    await vscode.languageStatus(/^Understudy \d.*\/understudy Restart/);
    await vscode.mouseAway();
  });

  step('29-wrong-path', 'is asked for when it is not there', async () => {
    await vscode.settings({ 'understudy.path': '/no/such/understudy' });
    const message = vscode.notification('Understudy cannot be started: there is no program /no/such/understudy.');
    await message.getByRole('button', { name: 'Open Settings' }).waitFor();
    await vscode.languageStatus(/^Understudy is not running understudy\.path is wrong Open Settings/);
    assert.equal(await vscode.squiggles().count(), 0);
  });
});

describe('a workspace that is not trusted', () => {
  let vscode;
  let trap;
  before(async () => {
    vscode = await Workbench.start({
      trusted: false,
      prepare: async (folder) => {
        // The workspace names a program of its own as the interpreter.
        trap = path.join(folder, 'trapped');
        const program = path.join(folder, 'python');
        await fs.writeFile(program, `#!/bin/sh\ntouch '${trap}'\nexec python3 "$@"\n`, { mode: 0o755 });
        await fs.writeFile(path.join(folder, '.vscode/settings.json'), JSON.stringify({ 'understudy.interpreter': program }));
      },
    });
  });
  after(() => vscode?.stop());
  const step = steps(test, () => vscode);
  const trapped = () => fs.access(trap).then(() => true, () => false);

  step('30-restricted', 'is checked all the same, and none of its programs is started', async () => {
    await vscode.page.locator('#status\\.workspaceTrust', { hasText: 'Restricted Mode' }).waitFor();
    await vscode.open(FILE, 16, 31);
    await vscode.squiggles().first().waitFor();
    assert.equal(await trapped(), false);
  });

  step('31-trusted', 'once it is trusted, its settings count', async () => {
    await vscode.command('Workspaces: Manage Workspace Trust');
    await vscode.page.locator('.workspace-trust-editor').getByRole('button', { name: 'Trust', exact: true }).click();
    await until('the interpreter of the workspace to be used', trapped);
    await vscode.page.locator('.tab', { hasText: 'test_proposal_service.py' }).click();
    await vscode.at(FILE, 16, 31);
    await vscode.squiggles().first().waitFor();
  });
});
