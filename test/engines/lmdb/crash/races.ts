import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundle } from './bundle.ts';

export interface RaceReport {
  readonly rounds: number;
  /** Rounds in which more than one process, or none, became the owner. */
  readonly twoOwners: number;
  readonly noOwner: number;
  /** What the others were told, by code. */
  readonly refusals: ReadonlyMap<string, number>;
}

export interface RaceOptions {
  readonly rounds: number;
  readonly starters: number;
  /** Each starter has network, process ids and mounts of its own, as in a container. */
  readonly contained?: boolean;
}

/**
 * Round by round, the owner of a data folder is killed, and processes that have loaded their code begin on the folder
 * in the same instant, as several supervisors would start them.
 */
export async function race({ rounds, starters, contained = false }: RaceOptions): Promise<RaceReport> {
  const racer = await bundle(new URL('./racer.ts', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'sluice-race-'));
  const command = [...(contained ? containing : []), process.execPath, racer, folder];
  const refusals = new Map<string, number>();
  let twoOwners = 0;
  let noOwner = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const all = await Promise.all(Array.from({ length: starters }, () => starter(command)));
      for (const { child } of all) child.stdin.write('go\n');
      const said = await Promise.all(all.map(({ lines }) => next(lines)));
      const owners = said.filter((word) => word === 'owner').length;
      if (owners > 1) twoOwners++;
      if (owners === 0) noOwner++;
      for (const word of said) if (word !== 'owner') refusals.set(word, (refusals.get(word) ?? 0) + 1);
      await Promise.all(all.map(({ child }) => killed(child)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(racer, { force: true });
  }
  return { rounds, twoOwners, noOwner, refusals };
}

/** Ends the process that it runs with itself. */
const containing = [
  'unshare',
  ...['--user', '--map-root-user', '--net', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc'],
];

/** Whether this system lets the user make containers. */
export function canContain(): boolean {
  const [command, ...args] = containing as [string, ...string[]];
  return spawnSync(command, [...args, 'true'], { stdio: 'ignore' }).status === 0;
}

type Lines = AsyncIterator<string>;

async function starter(command: readonly string[]) {
  const [file, ...args] = command as [string, ...string[]];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: Lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await next(lines);
  return { child, lines };
}

async function next(lines: Lines): Promise<string> {
  const { value, done } = await lines.next();
  return done === true ? 'ended' : value;
}

/** Resolves when the last process that has its output is gone. */
async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}
