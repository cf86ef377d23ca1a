// The interpreter that is selected in the Python extension. That is not in the package registry, so a stand-in with its
// API (`python-extension/`) has its place.

import path from 'node:path';
import { after, before, test } from 'node:test';

import { PROGRAM, Workbench, assert, steps, until } from './workbench.mjs';

const PYTHON = path.join(path.dirname(PROGRAM), 'python');
let vscode;

before(async () => {
  vscode = await Workbench.start({ python: true });
});
after(() => vscode?.stop());

const step = steps(test, () => vscode);

step('50-selected', "its packages are the project's: pytest's fixtures are known", async () => {
  await vscode.open('tests/unit/test_proposal_service.py', 16, 31);
  await vscode.squiggles().first().waitFor();
  assert.equal(await vscode.logLines(`: ${PYTHON} -I `), 0);
  // Which plugins there are is not known yet, and so not whether one has the fixture.
  await vscode.open('tests/integration/test_agents_api.py', 54, 51);
  await vscode.settings({ 'python.selected': PYTHON });
  await vscode.squiggles().first().waitFor();
  assert.ok((await vscode.problems()).some((row) => row.includes('US501')));
  // The server is the same.
  assert.equal(await vscode.logLines('starting'), 1);
});

step('51-server', 'the server runs on it, too', async () => {
  await vscode.command('Understudy: Restart Server');
  await until('that interpreter', async () => (await vscode.logLines(`: ${PYTHON} -I `)) === 1);
  await vscode.squiggles().first().waitFor();
});
