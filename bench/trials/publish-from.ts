import type { PublisherCalls } from '../load/publisher.ts';
import type { PublishJob, PublishReport } from '../peers/peer.ts';
import { loadCore } from '../support/core.ts';
import { Worker } from '../support/worker.ts';
import type { Subject } from './subject.ts';
import type { Loaded } from './trial.ts';

export const publisherOption = {
  default: 'process',
  sentence:
    'Where the gateway’s publications come from: its own process, as with raw uWS, or over the network.',
  choices: ['process', 'http', 'ws'],
} as const;

/** Publishes in the server's process, or, to the gateway, from a process of its own, which `keep` sees to. */
export async function publishFrom(
  publisher: string,
  subject: Subject,
  { worker, port }: Loaded,
  keep: (worker: Worker<PublisherCalls>) => Worker<PublisherCalls>,
): Promise<(job: PublishJob) => Promise<PublishReport>> {
  if (subject.peer !== 'sluice' || publisher === 'process') return (job) => worker.call('publish', job);
  const outside = keep(
    new Worker<PublisherCalls>(new URL('../load/publisher.ts', import.meta.url), loadCore),
  );
  await outside.call('connect', { port, by: publisher as 'http' | 'ws' });
  return (job) => outside.call('publish', job);
}
