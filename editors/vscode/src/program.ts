/** Which program is the server: an interpreter that can run it, or an `understudy` that the user named. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Selection } from './python';
import type { ServerSettings } from './settings';

const run = promisify(execFile);
const DEADLINE = 10_000;

export interface Program {
  readonly command: string;
  /** What stands before `server`, `rule` and other commands of Understudy. */
  readonly prefix: readonly string[];
  /** For people: which Understudy on which Python. */
  readonly description: string;
}

/** Nothing can be started. The message says what was tried and what to do. */
export class NoProgramError extends Error {
  constructor(
    message: string,
    /** The setting that is wrong or would help. */
    readonly setting: string,
  ) {
    super(message);
  }
}

interface Probe {
  readonly python: string;
  readonly supported: boolean;
  readonly understudy: string | null;
  readonly location: string | null;
}

export async function findProgram(settings: ServerSettings, selection: Selection, start: string): Promise<Program> {
  if (settings.path !== '') {
    return named(settings.path);
  }
  const prefix = ['-I', start, ...(settings.importStrategy === 'fromEnvironment' ? ['--from-environment'] : [])];
  const tried: string[] = [];
  for (const command of await candidates(settings, selection)) {
    const outcome = await probe(command, prefix);
    if (typeof outcome === 'string') {
      tried.push(`${command}: ${outcome}`);
    } else if (!outcome.supported) {
      tried.push(`${command}: is Python ${outcome.python}`);
    } else {
      const description = `Understudy ${outcome.understudy} on Python ${outcome.python} (${command})`;
      return { command, prefix, description };
    }
  }
  throw new NoProgramError(
    `Understudy needs Python 3.10 or newer to run its server, and found none. Tried ${tried.join('; ')}.`,
    'understudy.interpreter',
  );
}

/** An interpreter that is set is the only one: to run on another in silence would hide the mistake. */
async function candidates(settings: ServerSettings, selection: Selection): Promise<string[]> {
  if (settings.interpreter !== '') {
    return [settings.interpreter];
  }
  const selected = await selection.interpreter(undefined);
  const onPath = process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python'];
  return selected === undefined ? onPath : [selected, ...onPath];
}

async function named(path: string): Promise<Program> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: DEADLINE });
    return { command: path, prefix: [], description: `${stdout.trim()} (${path})` };
  } catch (error) {
    throw new NoProgramError(`Understudy cannot be started: ${path}: ${reason(error)}.`, 'understudy.path');
  }
}

async function probe(command: string, prefix: readonly string[]): Promise<Probe | string> {
  try {
    const { stdout } = await run(command, [...prefix, '--probe'], { timeout: DEADLINE });
    return JSON.parse(stdout) as Probe;
  } catch (error) {
    return reason(error);
  }
}

function reason(error: unknown): string {
  const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
  if (code === 'ENOENT') {
    return 'there is no such program';
  }
  if (code === 'EACCES') {
    return 'is not a program, or may not be started';
  }
  const said = stderr?.trim().split('\n').at(-1);
  return said ? said : error instanceof Error ? error.message : String(error);
}
