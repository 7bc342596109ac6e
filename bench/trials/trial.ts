import type { OpenOptions, Received, ReceiversCalls } from '../load/receivers.ts';
import type { PublishJob, PublishReport } from '../peers/peer.ts';
import { loadCore } from '../support/core.ts';
import { cpuMeter } from '../support/proc.ts';
import { Worker } from '../support/worker.ts';
import { type StartedSubject, type Subject, startSubject } from './subject.ts';

/** Ends what `run` keeps, however it ends, the last one first. */
export async function withWorkers<T>(
  run: (keep: <W extends { end(): unknown }>(worker: W) => W) => Promise<T>,
): Promise<T> {
  const kept: { end(): unknown }[] = [];
  try {
    return await run((worker) => {
      kept.push(worker);
      return worker;
    });
  } finally {
    for (const worker of kept.reverse()) await worker.end();
  }
}

export function startReceivers(): Worker<ReceiversCalls> {
  return new Worker<ReceiversCalls>(new URL('../load/receivers.ts', import.meta.url), loadCore);
}

export interface Loaded extends StartedSubject {
  readonly receivers: Worker<ReceiversCalls>;
}

export type LoadOptions = Omit<OpenOptions, 'port' | 'dialect'> & {
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Of the subject's Node. */
  readonly nodeArgs?: readonly string[];
};

/** Starts a subject and connects to it; `run` has both. */
export function withLoad<T>(
  subject: Subject,
  { flags, nodeArgs, ...opening }: LoadOptions,
  run: (loaded: Loaded) => Promise<T>,
): Promise<T> {
  return withWorkers(async (keep) => {
    const { topics, spread } = opening;
    const started = await startSubject(subject, { topics: topics.length, spread, flags }, nodeArgs);
    keep(started.worker);
    const receivers = keep(startReceivers());
    await receivers.call('open', { port: started.port, dialect: subject.dialect, ...opening });
    return run({ ...started, receivers });
  });
}

export const topicNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `topic${i}`);

export interface Trial extends PublishReport {
  /** Share of a core that the server took. */
  readonly cpu: number;
  readonly received: Received;
  /** Missing, duplicate and misplaced deliveries, and refused publications. */
  readonly lost: number;
}

const defaultWarmUpSeconds = 1;
const settleMs = 5000;

export interface TrialOptions {
  /** Of the server. */
  readonly pid: number;
  readonly receivers: Worker<ReceiversCalls>;
  readonly publish: (job: PublishJob) => Promise<PublishReport>;
  /** Connections that get each publication. */
  readonly receiversEach: number;
  readonly job: PublishJob;
  readonly warmUpSeconds?: number;
}

/** Warms up, then publishes at a fixed rate and counts the deliveries. */
export async function trial(options: TrialOptions): Promise<Trial> {
  const { pid, receivers, publish, receiversEach, job, warmUpSeconds = defaultWarmUpSeconds } = options;
  const settle = (sent: number) =>
    receivers.call('settle', { publications: sent * receiversEach, withinMs: settleMs });
  await settled(receivers, receiversEach, () => publish({ ...job, seconds: warmUpSeconds }));
  await receivers.call('mark');
  const cpu = cpuMeter(pid);
  const report = await publish(job);
  const cpuShare = cpu();
  await settle(report.sent);
  const received = await receivers.call('read');
  return { ...report, cpu: cpuShare, received, lost: lostOf(report, received, receiversEach) };
}

/** Publishes, and waits until everything has arrived. */
export async function settled(
  receivers: Worker<ReceiversCalls>,
  receiversEach: number,
  publish: () => Promise<PublishReport>,
): Promise<PublishReport> {
  await receivers.call('mark');
  const report = await publish();
  await receivers.call('settle', { publications: report.sent * receiversEach, withinMs: settleMs });
  return report;
}

export function lostOf(
  { sent, failed }: Pick<PublishReport, 'sent' | 'failed'>,
  { publications, seams }: Received,
  receiversEach: number,
): number {
  return Math.abs(sent * receiversEach - publications) + seams + failed;
}
