import { writeSync } from 'node:fs';
import { LmdbEngine } from '../../../../src/engines/lmdb/engine.ts';
import type { AppendRequest } from '../../../../src/topics/engine.ts';
import { optionsOf, type PublisherArguments, publishFields, topicOf } from './plan.ts';

/**
 * Publishes as fast as it can until it is killed, and writes down each acknowledgement as soon as it has it: a line
 * with number, topic, epoch and offset. The lines are in the pipe when the call returns, so none dies with the process.
 */
const { folder, run, sync, publishers } = JSON.parse(process.argv[2] as string) as PublisherArguments;
const engine = new LmdbEngine({
  ...optionsOf(folder, sync),
  // Its script is not in the bundle. The test that kills this process checks the store.
  check: async () => undefined,
});
await engine.open({ appended: () => undefined, reset: () => undefined, degraded: () => process.exit(3) });

let next = 0;
async function publish(perCall: number): Promise<void> {
  for (;;) {
    const numbers = Array.from({ length: perCall }, () => next++);
    const requests = numbers.map(
      (number): AppendRequest => ({
        fields: publishFields(run, number),
        publishedAtMs: Date.now(),
        acceptedAtMs: 0,
      }),
    );
    const outcomes = await engine.append(requests);
    const lines = outcomes.map((outcome, i) =>
      outcome.ok
        ? `${numbers[i]} ${topicOf(numbers[i] as number)} ${outcome.epoch} ${outcome.offset}\n`
        : `failed ${outcome.error.code}\n`,
    );
    writeSync(1, lines.join(''));
  }
}

for (let i = 0; i < publishers; i++) void publish(1 + (i % 3));
