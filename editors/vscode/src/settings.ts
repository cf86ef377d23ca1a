/** The `understudy.*` settings: read, checked, and turned into what the server understands. */

import * as vscode from 'vscode';

export const SECTION = 'understudy';
/** What VS Code itself keeps from workspaces that are not trusted is the list in `package.json`. */
const LOG_LEVELS = ['error', 'warning', 'info', 'debug'] as const;
const STRATEGIES = ['useBundled', 'fromEnvironment'] as const;
const TRACES = ['off', 'messages', 'verbose'] as const;
const MODES = ['openFiles', 'workspace'] as const;
const SEVERITIES = ['error', 'warning', 'info', 'hint', 'off'] as const;

export interface Problem {
  /** Its name, such as `understudy.args`. */
  readonly setting: string;
  /** A sentence without its full stop. */
  readonly text: string;
}

export interface ServerSettings {
  readonly importStrategy: (typeof STRATEGIES)[number];
  readonly interpreter: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly trace: (typeof TRACES)[number];
  /** What is wrong with the settings. The defaults stand in for it. */
  readonly problems: readonly Problem[];
}

/** A change of one of these needs a new server process. */
export const RESTARTING = ['importStrategy', 'interpreter', 'path', 'args', 'logLevel'].map((key) => `${SECTION}.${key}`);

class Reader {
  readonly problems: Problem[] = [];
  private readonly values: vscode.WorkspaceConfiguration;

  constructor(scope?: vscode.ConfigurationScope) {
    this.values = vscode.workspace.getConfiguration(SECTION, scope);
  }

  text(key: string): string {
    const value: unknown = this.values.get(key, '');
    if (typeof value !== 'string') {
      return this.wrong(key, 'a text', value, '');
    }
    return expand(value.trim());
  }

  texts(key: string): string[] {
    const value: unknown = this.values.get(key, []);
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      return this.wrong(key, 'a list of texts', value, []);
    }
    return value.map((item: string) => expand(item));
  }

  oneOf<T extends string>(key: string, choices: readonly T[], standard: T): T {
    const value: unknown = this.values.get(key, standard);
    const found = choices.find((choice) => choice === value);
    return found ?? this.wrong(key, `one of ${choices.join(', ')}`, value, standard);
  }

  flag(key: string, standard: boolean): boolean {
    const value: unknown = this.values.get(key, standard);
    return typeof value === 'boolean' ? value : this.wrong(key, 'true or false', value, standard);
  }

  table(key: string): Record<string, unknown> {
    const value: unknown = this.values.get(key, {});
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.wrong(key, 'an object', value, {});
    }
    return { ...value };
  }

  /** `part`: of the setting, when it is a table. */
  wrong<T>(key: string, expected: string, value: unknown, standard: T, part = ''): T {
    const setting = `${SECTION}.${key}`;
    this.problems.push({ setting, text: `${setting}${part}: expected ${expected}, got ${JSON.stringify(value)}` });
    return standard;
  }
}

/** What decides how the server is started. */
export function serverSettings(): ServerSettings {
  const reader = new Reader();
  return {
    importStrategy: reader.oneOf('importStrategy', STRATEGIES, 'useBundled'),
    interpreter: reader.text('interpreter'),
    path: reader.text('path'),
    args: reader.texts('args'),
    logLevel: reader.oneOf('logLevel', LOG_LEVELS, 'warning'),
    trace: reader.oneOf('trace.server', TRACES, 'off'),
    problems: [...reader.problems, ...analysisSettings(undefined, undefined).problems],
  };
}

export interface AnalysisSettings {
  readonly values: Record<string, unknown>;
  readonly problems: readonly Problem[];
}

/**
 * What the server is told for a folder: the keys of `[tool.understudy]` and its own. `interpreter` is the
 * project's, as selected in the editor; the server's configuration key `python` goes before it.
 */
export function analysisSettings(scope: vscode.Uri | undefined, interpreter: string | undefined): AnalysisSettings {
  const reader = new Reader(scope);
  const values = reader.table('configuration');
  const severity = reader.table('severity');
  for (const [rule, level] of Object.entries(severity)) {
    if (!SEVERITIES.some((known) => known === level)) {
      reader.wrong('severity', `one of ${SEVERITIES.join(', ')}`, level, undefined, `: ${rule}`);
      delete severity[rule];
    }
  }
  if (Object.keys(severity).length > 0) {
    const others = values['severity'];
    values['severity'] = typeof others === 'object' ? { ...others, ...severity } : severity;
  }
  if (interpreter !== undefined && values['python'] === undefined) {
    values['python'] = interpreter;
  }
  values['diagnosticMode'] = reader.oneOf('diagnosticMode', MODES, 'openFiles');
  values['inlayHints'] = { enable: reader.flag('inlayHints.enable', true) };
  return { values, problems: reader.problems };
}

/** `${workspaceFolder}`, `${userHome}` and `${env:NAME}`, as elsewhere in VS Code's settings. */
function expand(value: string): string {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  return value
    .replaceAll('${workspaceFolder}', folder)
    .replaceAll('${userHome}', process.env['HOME'] ?? process.env['USERPROFILE'] ?? '')
    .replace(/\$\{env:(\w+)\}/g, (_, name: string) => process.env[name] ?? '');
}
