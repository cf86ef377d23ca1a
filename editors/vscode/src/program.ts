/** Which program is the server: an interpreter that can run it, or an `understudy` that the user named. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Selection } from './python';
import type { ServerSettings } from './settings';

const run = promisify(execFile);
/** Milliseconds; a busy machine is slow to start a Python. */
const DEADLINE = 60_000;

export interface Program {
  readonly command: string;
  /** What stands before `server`, `rule` and other commands of Understudy. */
  readonly prefix: readonly string[];
  /** For people: which Understudy, such as `Understudy 0.1.0`. */
  readonly name: string;
  /** For people, and short: on which Python, or where it is. */
  readonly place: string;
  /** The folder of the package, where it is known. */
  readonly location: string | undefined;
}

/** Nothing can be started. The message says what was tried and what to do. */
export class NoProgramError extends Error {
  constructor(
    message: string,
    /** The same in a few words. */
    readonly brief: string,
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
      tried.push(outcome);
    } else if (!outcome.supported) {
      tried.push(`${command} is Python ${outcome.python}`);
    } else {
      const place = `Python ${outcome.python} (${short(command)})`;
      return { command, prefix, name: `Understudy ${outcome.understudy}`, place, location: outcome.location ?? undefined };
    }
  }
  const wayOut = settings.interpreter === '' ? 'Name one in' : 'Correct or empty';
  throw new NoProgramError(
    `Understudy needs Python 3.10 or newer to run its server: ${tried.join('; ')}. ${wayOut} the setting understudy.interpreter.`,
    'no Python 3.10 or newer',
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
    return { command: path, prefix: [], name: stdout.trim().replace(/^u/, 'U'), place: short(path), location: undefined };
  } catch (error) {
    throw new NoProgramError(
      `Understudy cannot be started: ${reason(path, error)}. Correct or empty the setting understudy.path.`,
      'understudy.path is wrong',
      'understudy.path',
    );
  }
}

async function probe(command: string, prefix: readonly string[]): Promise<Probe | string> {
  try {
    const { stdout } = await run(command, [...prefix, '--probe'], { timeout: DEADLINE });
    return JSON.parse(stdout) as Probe;
  } catch (error) {
    return reason(command, error);
  }
}

/** Why a program could not be started, as a sentence without its full stop. */
function reason(program: string, error: unknown): string {
  const { code, killed, stderr } = error as NodeJS.ErrnoException & { killed?: boolean; stderr?: string };
  if (code === 'ENOENT') {
    return `there is no program ${program}`;
  }
  if (code === 'EACCES') {
    return `${program} is not a program, or may not be started`;
  }
  if (killed) {
    return `${program} does not answer`;
  }
  const said = stderr?.trim().split('\n').at(-1);
  return `${program} says: ${said ? said : error instanceof Error ? error.message : String(error)}`;
}

/** A path that fits into the status: its end says most. */
function short(path: string): string {
  return path.length <= 40 ? path : `…${path.slice(-39)}`;
}
