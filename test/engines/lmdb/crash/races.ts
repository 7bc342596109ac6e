import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundle } from './bundle.ts';

export interface RaceReport {
  readonly rounds: number;
  /** Rounds in which both, or neither, became the owner. */
  readonly twoOwners: number;
  readonly noOwner: number;
  /** What the others were told, by code. */
  readonly refusals: ReadonlyMap<string, number>;
}

/**
 * Round by round: the owner of a data folder is killed, and two processes that have loaded their code begin on the folder in
 * the same instant, as two supervisors would have them.
 */
export async function race(rounds: number): Promise<RaceReport> {
  const racer = await bundle(new URL('./racer.ts', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'sluice-race-'));
  const refusals = new Map<string, number>();
  let twoOwners = 0;
  let noOwner = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const pair = await Promise.all([starter(racer, folder), starter(racer, folder)]);
      for (const { child } of pair) child.stdin.write('go\n');
      const said = await Promise.all(pair.map(({ lines }) => next(lines)));
      const owners = said.filter((word) => word === 'owner').length;
      if (owners > 1) twoOwners++;
      if (owners === 0) noOwner++;
      for (const word of said) if (word !== 'owner') refusals.set(word, (refusals.get(word) ?? 0) + 1);
      await Promise.all(pair.map(({ child }) => killed(child)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(racer, { force: true });
  }
  return { rounds, twoOwners, noOwner, refusals };
}

type Lines = AsyncIterator<string>;

async function starter(racer: string, folder: string) {
  const child = spawn(process.execPath, [racer, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: Lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await next(lines);
  return { child, lines };
}

async function next(lines: Lines): Promise<string> {
  const { value, done } = await lines.next();
  return done === true ? 'ended' : value;
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
