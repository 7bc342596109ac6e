import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createWorkClock } from '../../src/server/work-clock.ts';
import { moduleFile } from '../support/command-line.ts';

const { nodeArgs, path } = moduleFile('server/work-clock');

/**
 * Works for at least 200 ms, until the kernel says that the thread waited for a processor for a quarter of that time.
 * Prints the time that passed and the time that counts.
 */
const spin = `
  import { readFileSync } from 'node:fs';
  import { createWorkClock } from '${pathToFileURL(path)}';
  const waitedMs = () => Number(readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'latin1').split(' ')[1]) / 1e6;
  const workMs = createWorkClock();
  const [startMs, startWorkMs, startWaitedMs] = [performance.now(), workMs(), waitedMs()];
  const wallMs = () => performance.now() - startMs;
  while (wallMs() < 200 || waitedMs() - startWaitedMs < wallMs() / 4);
  console.log(JSON.stringify({ wallMs: wallMs(), workMs: workMs() - startWorkMs }));
`;

describe('the clock of what clients are charged for', () => {
  test('stops while the thread waits for a processor, and reads how long at most every 2 ms', () => {
    const kernel = { nowMs: 100, waitedMs: 50, readings: 0 };
    const workMs = createWorkClock({
      nowMs: () => kernel.nowMs,
      waitedMs: () => {
        kernel.readings++;
        return kernel.waitedMs;
      },
    });
    const startMs = workMs();
    kernel.nowMs += 10;
    kernel.waitedMs += 9;
    expect(workMs() - startMs).toBe(1);
    kernel.nowMs += 1.9;
    expect(workMs() - startMs).toBeCloseTo(2.9);
    expect(kernel.readings).toBe(2);
    kernel.nowMs += 0.2;
    expect(workMs() - startMs).toBeCloseTo(3.1);
    expect(kernel.readings).toBe(3);
  });

  test('never steps back', () => {
    const kernel = { nowMs: 0, waitedMs: 0 };
    const workMs = createWorkClock({ nowMs: () => kernel.nowMs, waitedMs: () => kernel.waitedMs });
    kernel.nowMs = 10;
    expect(workMs()).toBe(10);
    kernel.nowMs = 13;
    kernel.waitedMs = 8;
    expect(workMs()).toBe(10);
    kernel.nowMs = 22;
    expect(workMs()).toBe(14);
  });

  test('counts all time where the kernel does not say how long the thread waited', () => {
    const kernel = { nowMs: 0 };
    const workMs = createWorkClock({ nowMs: () => kernel.nowMs, waitedMs: () => undefined });
    kernel.nowMs = 30;
    expect(workMs()).toBe(30);
  });

  test('leaves out what a busy process takes on the same processor', async () => {
    const allowed =
      /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    const onOneProcessor = ['-c', allowed, process.execPath];
    const busy = spawn('taskset', [...onOneProcessor, '-e', 'for (;;);'], { stdio: 'ignore' });
    try {
      const { stdout } = await promisify(execFile)('taskset', [
        ...onOneProcessor,
        ...nodeArgs,
        ...['--input-type=module', '--eval', spin],
      ]);
      const { wallMs, workMs } = JSON.parse(stdout) as { wallMs: number; workMs: number };
      expect(workMs).toBeGreaterThan(0);
      expect(workMs).toBeLessThan(0.8 * wallMs);
    } finally {
      busy.kill('SIGKILL');
    }
  });
});
