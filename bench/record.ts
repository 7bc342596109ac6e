import { writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createMetrics } from '../src/metrics.ts';
import type { PublishFields } from '../src/protocol/frames.ts';
import { HostSource } from '../src/sources/host.ts';
import { scenario } from './support/scenario.ts';
import { traceLine, tracePath } from './support/trace.ts';

const options = {
  publications: { default: 700, sentence: 'Length of the trace.' },
  intervalMs: {
    default: 1000,
    sentence: 'How often the machine is looked at, as of the option sourceHostIntervalMs.',
  },
} as const;

/** Records the metrics of this machine, as the built-in source publishes them. */
export default scenario(options, async ({ publications, intervalMs }, say) => {
  const recorded: PublishFields[] = [];
  const fail = (error: unknown) => say(String(error));
  const source = new HostSource({
    intervalMs,
    publish: async (fields) => recorded.push(...fields),
    log: { error: fail },
    metrics: createMetrics({ processMetrics: false }),
    serverId: 'web-01',
  });
  source.start();
  // Its own timer does not keep the process alive.
  while (recorded.length < publications) await setTimeout(intervalMs);
  await source.stop();
  writeFileSync(tracePath, recorded.slice(0, publications).map(traceLine).join(''));
  const bytes = recorded.reduce((sum, { payload }) => sum + payload.bytes.length, 0);
  const rows = [[publications, bytes / recorded.length]];
  return {
    tables: [{ title: tracePath, columns: ['publications', 'bytes of a payload'], rows }],
    claims: [],
  };
});
