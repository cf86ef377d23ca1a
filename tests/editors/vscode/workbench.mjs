// VS Code in a browser, used as a person uses it: keys, clicks, and what is on the screen.
//
// Nothing here waits for a time. `until` asks again and again, and fails after a deadline that is far beyond what
// anything needs.

import assert from 'node:assert/strict';
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

import { chromium } from 'playwright-core';

const HERE = import.meta.dirname;
export const ROOT = path.resolve(HERE, '../../..');
/** The `understudy` of this checkout, in a virtual environment: where `make` has put it. */
export const PROGRAM = path.resolve(process.env.UNDERSTUDY ?? path.join(ROOT, '.venv/bin/understudy'));
export const EXTENSION = path.join(ROOT, 'editors/vscode');
const EXAMPLE = path.join(ROOT, 'tests/projects/governance');
const ARTEFACTS = path.join(ROOT, 'tests/editors/artefacts/vscode');
const TOOLS = path.join(ROOT, 'tests/editors/.tools');
const CODE_SERVER = path.join(HERE, 'node_modules/code-server/out/node/entry.js');
/** Milliseconds. Far beyond what anything needs, on a busy machine, too. */
const DEADLINE = 1000 * Number(process.env.DEADLINE ?? 180);
/** After this a person would press the keys again. */
export const PATIENCE = 10_000;
const run = promisify(execFile);

const SETTINGS = {
  'editor.fontFamily': 'DejaVu Sans Mono',
  'editor.minimap.enabled': false,
  'editor.stickyScroll.enabled': false,
  // What the editor itself offers must not be taken for ours.
  'editor.wordBasedSuggestions': 'off',
  'files.autoSave': 'off',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Default Light Modern',
  'workbench.layoutControl.enabled': false,
  'workbench.enableExperiments': false,
  'window.title': '${activeEditorShort}',
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
  'git.enabled': false,
  'chat.commandCenter.enabled': false,
};

/** Ask until there is an answer that is neither undefined nor false. */
export async function until(what, ask, timeout = DEADLINE) {
  const end = Date.now() + timeout;
  let last;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) {
        return answer;
      }
      last = answer;
    } catch (error) {
      last = error;
    }
    await pause(100);
  }
  throw new Error(`waited in vain for ${what}; last: ${last}`);
}

/** They do not end with these tests by themselves, when those are interrupted. */
const servers = new Set();
process.on('exit', () => servers.forEach(({ pid }) => process.kill(-pid, 'SIGTERM')));
for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143 })) {
  process.once(signal, () => process.exit(status));
}

/** One VS Code with the built extension, and a copy of the example backend that it has open. */
export class Workbench {
  #server;
  #browser;
  #home;
  page;
  folder;

  /**
   * `trusted: false` opens the folder in Restricted Mode. `prepare` may change the folder beforehand. `python` installs
   * the stand-in for the Python extension, too.
   */
  static async start({ settings = {}, trusted = true, prepare = async () => {}, python = false } = {}) {
    const workbench = new Workbench();
    try {
      await workbench.#start(settings, trusted, prepare, python);
    } catch (error) {
      await workbench.stop();
      throw error;
    }
    return workbench;
  }

  async #start(settings, trusted, prepare, python) {
    await fs.mkdir(ARTEFACTS, { recursive: true });
    this.#home = await fs.mkdtemp(path.join(os.tmpdir(), 'understudy-vscode-'));
    this.folder = path.join(this.#home, 'governance');
    await fs.cp(EXAMPLE, this.folder, { recursive: true, filter: (name) => !/__pycache__|\.pytest_cache/.test(name) });
    // VS Code may miss a file that comes into being with its folder.
    await this.settings({});
    await prepare(this.folder);
    const user = path.join(this.#home, 'data/User');
    await fs.mkdir(user, { recursive: true });
    await fs.writeFile(path.join(user, 'settings.json'), JSON.stringify({ ...SETTINGS, ...settings }, undefined, 2));
    const where = ['--user-data-dir', path.join(this.#home, 'data'), '--extensions-dir', await installed(python)];
    const env = { ...process.env, XDG_CONFIG_HOME: this.#home, XDG_DATA_HOME: this.#home, XDG_CACHE_HOME: path.join(this.#home, 'cache') };
    // What the tests themselves run in is not what a person has.
    delete env.VIRTUAL_ENV;
    const port = await freePort();
    const options = ['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check'];
    if (trusted) {
      options.push('--disable-workspace-trust');
    }
    this.#server = spawn(process.execPath, [CODE_SERVER, ...where, ...options], { env, stdio: 'ignore', detached: true });
    servers.add(this.#server);
    const address = `http://127.0.0.1:${port}/`;
    await until('code-server', async () => (await fetch(address)).ok);
    this.#browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    this.page = await this.#browser.newPage({ viewport: { width: 1280, height: 800 } });
    this.page.setDefaultTimeout(DEADLINE);
    await this.page.goto(`${address}?folder=${encodeURIComponent(this.folder)}`);
    await this.page.locator('.monaco-workbench .explorer-folders-view').waitFor();
  }

  async stop() {
    await this.#browser?.close();
    if (this.#server?.exitCode === null) {
      const gone = once(this.#server, 'exit');
      process.kill(-this.#server.pid, 'SIGTERM');
      await gone;
    }
    servers.delete(this.#server);
    if (this.#home !== undefined) {
      await fs.rm(this.#home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  }

  /** Writes the workspace's settings; VS Code sees that the file changes. */
  async settings(values) {
    const file = path.join(this.folder, '.vscode/settings.json');
    await fs.mkdir(path.dirname(file), { recursive: true });
    await fs.writeFile(file, JSON.stringify(values));
  }

  async screenshot(name) {
    await this.page.screenshot({ path: path.join(ARTEFACTS, `${name}.png`) });
  }

  text(file) {
    return fs.readFile(path.join(this.folder, file), 'utf8');
  }

  // --- as a person does

  async press(...keys) {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Quick Open: a file by its name, a line and column behind it. Again when something else took the keys. */
  async open(file, row, column = 1) {
    const input = this.page.locator('.quick-input-widget input');
    const found = this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: path.basename(file) });
    await until(`${file} to be open`, async () => {
      await this.press('Control+P');
      await input.fill(`${file}:${row}:${column}`, { timeout: PATIENCE });
      await found.waitFor({ timeout: PATIENCE });
      await this.press('Enter');
      await this.at(file, row, column, PATIENCE);
      return true;
    });
  }

  /** Waits until the cursor is there. */
  async at(file, row, column, timeout = DEADLINE) {
    await this.page.locator('.tab.active', { hasText: path.basename(file) }).waitFor({ timeout });
    const place = column === undefined ? `Ln ${row},` : `Ln ${row}, Col ${column}`;
    await this.page.locator('#status\\.editor\\.selection', { hasText: place }).waitFor({ timeout });
  }

  async command(title) {
    await this.press('F1');
    const input = this.page.locator('.quick-input-widget input');
    await input.fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: title }).waitFor();
    await this.press('Enter');
  }

  async type(text) {
    await this.page.keyboard.type(text);
  }

  async save() {
    await this.press('Control+S');
    await until('the file to be saved', async () => (await this.page.locator('.tab.active.dirty').count()) === 0);
  }

  async revert() {
    await this.command('File: Revert File');
    await until('the file as it was', async () => (await this.page.locator('.tab.active.dirty').count()) === 0);
  }

  // --- what is on the screen

  /** Waits for a line of the editor with a text; hints between the characters count. */
  async line(text) {
    await until(`a line with ${text}`, async () => {
      const lines = await this.page.locator('.monaco-editor .view-line').allInnerTexts();
      return lines.some((line) => line.replaceAll('\u00a0', ' ').includes(text));
    });
  }

  squiggles(severity = 'error') {
    return this.page.locator(`.monaco-editor .squiggly-${severity}`);
  }

  /** The rows of the Problems panel, unfolded. */
  async problems() {
    const panel = this.page.locator('.markers-panel');
    if (!(await panel.isVisible())) {
      await this.command('Problems: Focus on Problems View');
      await panel.waitFor();
    }
    const rows = await panel.locator('.monaco-list-row').allInnerTexts();
    return rows.map(oneLine);
  }

  /** How many errors and warnings there are in all, by the status bar. */
  async counts() {
    const text = await this.page.locator('#status\\.problems').innerText();
    return text.match(/\d+/g).map(Number).slice(0, 2);
  }

  /** Waits for an entry of the language status, which the mouse over `{}` shows. */
  async languageStatus(text, timeout = DEADLINE) {
    await this.page.locator('#status\\.languageStatus').hover();
    await until(
      `${text} in the language status`,
      async () => {
        const entries = await this.page.locator('.hover-language-status > .element').allInnerTexts();
        const found = entries.map(oneLine).some((entry) => text.test(entry));
        assert.ok(found, entries.map(oneLine).join(' | '));
        return true;
      },
      timeout,
    );
  }

  async mouseAway() {
    await this.page.mouse.move(400, 5);
    await this.page.locator('.hover-language-status').first().waitFor({ state: 'hidden' });
  }

  /** How many lines of the extension's log hold a text. */
  async logLines(text) {
    const logs = path.join(this.#home, 'data/logs');
    const names = (await fs.readdir(logs, { recursive: true })).filter((name) => name.endsWith('Understudy.log'));
    const contents = await Promise.all(names.map((name) => fs.readFile(path.join(logs, name), 'utf8')));
    return contents.join('').split('\n').filter((line) => line.includes(text)).length;
  }

  /** The process ids of the servers that run for this VS Code; undefined when there are none. */
  async servers() {
    const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = [];
    for (const pid of pids) {
      const read = (name) => fs.readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      if ((await read('cmdline')).includes('start.py\0server') && (await read('environ')).includes(this.#home)) {
        found.push(Number(pid));
      }
    }
    return found.length > 0 && found;
  }

  notification(text) {
    return this.page.locator('.notification-toast', { hasText: text });
  }
}

/** The folder that the built extension is installed into, once per build; with `python`, a stand-in beside it. */
async function installed(python) {
  const vsix = path.join(EXTENSION, 'dist/understudy.vsix');
  const { mtimeMs, size } = await fs.stat(vsix);
  const folder = path.join(TOOLS, `extensions-${Math.trunc(mtimeMs)}-${size}${python ? '-python' : ''}`);
  if (!(await fs.stat(path.join(folder, 'extensions.json')).catch(() => undefined))) {
    const home = await fs.mkdtemp(path.join(os.tmpdir(), 'understudy-vscode-'));
    const env = { ...process.env, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
    const where = ['--user-data-dir', path.join(home, 'data'), '--extensions-dir', folder];
    const extensions = ['--install-extension', vsix];
    if (python) {
      const standIn = path.join(home, 'python.vsix');
      await run('python3', ['-m', 'zipfile', '-c', standIn, path.join(HERE, 'python-extension/extension')]);
      extensions.push('--install-extension', standIn);
    }
    await run(process.execPath, [CODE_SERVER, ...where, ...extensions], { env });
    await fs.rm(home, { recursive: true });
  }
  return folder;
}

function oneLine(text) {
  return text.replace(/\s+/g, ' ').trim();
}

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

export { assert };

/** A step: its screenshot is taken when it is done, and when it fails. */
export function steps(test, workbench) {
  return (name, title, body, options = {}) =>
    test(title, options, async () => {
      try {
        await body(workbench());
        await workbench().screenshot(name);
      } catch (error) {
        await workbench().screenshot(`${name}-failed`);
        throw error;
      }
    });
}
