import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from './bundle.ts';
import { checkStore } from './check.ts';
import type { Acknowledged, CrashTopic, PublisherArguments } from './plan.ts';

export interface CrashReport {
  readonly kills: number;
  readonly acknowledged: number;
  /** Stored without an acknowledgement: the process died between the two. */
  readonly unacknowledged: number;
  /** What is wrong, a sentence each. */
  readonly faults: readonly string[];
}

/**
 * Kills a publisher again and again, each time after a number of acknowledgements that the seed chooses, and then
 * checks the store. The publisher is one file, so that a process costs a tenth of a second.
 */
export async function crash(options: { kills: number; seed: number; sync: boolean }): Promise<CrashReport> {
  const random = generator(options.seed);
  const publisher = await bundle(new URL('./publisher.ts', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'sluice-crash-'));
  const acknowledged: Acknowledged[] = [];
  const faults: string[] = [];
  let stored = 0;
  try {
    for (let run = 0; run < options.kills && faults.length === 0; run++) {
      const publishers = 1 + Math.floor(random() * 20);
      const enough = 1 + Math.floor(random() ** 2 * 400);
      acknowledged.push(
        ...(await killed(publisher, { folder, run, sync: options.sync, publishers }, enough)),
      );
      // Every third time the next publisher is the first to open what a crash left.
      if (run % 3 === 1 && run < options.kills - 1) continue;
      const check = await checkStore(folder, options.sync, acknowledged);
      faults.push(...check.faults.map((fault) => `seed ${options.seed}, kill ${run}: ${fault}`));
      stored = check.stored;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(publisher, { force: true });
  }
  return {
    kills: options.kills,
    acknowledged: acknowledged.length,
    unacknowledged: stored - acknowledged.length,
    faults,
  };
}

/** Runs the publisher until it has written `enough` acknowledgements; returns everything that it has written. */
function killed(publisher: string, args: PublisherArguments, enough: number): Promise<Acknowledged[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [publisher, JSON.stringify(args)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let problem = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      problem += chunk;
    });
    let text = '';
    let lines = 0;
    child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      for (const character of chunk) if (character === '\n') lines++;
      if (lines >= enough) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(text.split('\n').slice(0, -1).map(parse(args.run)));
      else reject(new Error(`the publisher ended by itself: ${code ?? signal}\n${problem}`));
    });
  });
}

function parse(run: number): (line: string) => Acknowledged {
  return (line) => {
    const [number, topic, epoch, offset] = line.split(' ') as [string, CrashTopic, string, string];
    if (number === 'failed') throw new Error(`the publisher was told ${topic}`);
    return { run, number: Number(number), topic, epoch, offset: Number(offset) };
  };
}

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
