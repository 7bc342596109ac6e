import { setTimeout } from 'node:timers/promises';
import { type HttpAnswer, HttpPool } from '../support/http-pool.ts';
import { pace } from '../support/pacer.ts';
import { seededRandom } from '../support/payload.ts';
import { serveCalls } from '../support/worker.ts';
import { Journal, kinds } from './journal.ts';
import { hashOf, keyOf, type Marker, payloadOf, topicOf, topics } from './plan.ts';

/** Publishes, whatever happens to the gateway, and writes the acknowledgements to the journal. */

export interface PublisherReport {
  readonly acknowledged: number;
  /** Acknowledged with the offset of an earlier attempt. */
  readonly duplicates: number;
  readonly retries: number;
  readonly unanswered: number;
  /** Refused with a final error, which should not happen here. */
  readonly refused: number;
  /** Counts of the errors of refused and retried publications. */
  readonly reasons: Readonly<Record<string, number>>;
}

const retryDelayMs = 100;
/** Measured from the first failure, because waiting for a connection in this process is no refusal. */
const tryForMs = 60_000;
const connections = 64;

const counts = { acknowledged: 0, duplicates: 0, retries: 0, unanswered: 0, refused: 0 };
const reasons = new Map<string, number>();
let pools: readonly HttpPool[];
let journal: Journal;
let random: () => number;
let nextSerial = topics.length;
let runId = '';

function start({ ports, path, seed }: { ports: readonly number[]; path: string; seed: number }): void {
  pools = ports.map((port) => new HttpPool(port, connections));
  journal = new Journal(path);
  random = seededRandom(seed);
  runId = `${seed}-${Date.now()}`;
}

async function publish({ rate, seconds }: { rate: number; seconds: number }): Promise<void> {
  const all: Promise<unknown>[] = [];
  await pace(rate, seconds, () => all.push(publishOne(nextSerial++)));
  await Promise.all(all);
}

/** Publishes one last update to each topic, which every client has to reach. */
async function mark(): Promise<(Marker | undefined)[]> {
  nextSerial = Math.ceil(nextSerial / topics.length) * topics.length;
  return Promise.all(topics.map(() => publishOne(nextSerial++)));
}

async function publishOne(serial: number): Promise<Marker | undefined> {
  const topic = topicOf(serial);
  const payload = payloadOf(serial, random);
  const hash = hashOf(payload);
  const body =
    `{"topic":"${topics[topic]!.name}","type":"update","key":"k${keyOf(serial)}",` +
    `"messageId":"${runId}-${serial}","data":${payload.toString('latin1')}}`;
  let untilMs = 0;
  for (let tries = serial; ; tries++) {
    const pool = pools[tries % pools.length]!;
    const answer = await pool.post('/api/publish', body).catch((error: Error) => error);
    const isAnswer = !(answer instanceof Error);
    if (isAnswer && answer.status === 200) {
      const { epoch, offset, duplicate } = JSON.parse(answer.body) as Marker & { duplicate?: boolean };
      counts.acknowledged++;
      if (duplicate === true) counts.duplicates++;
      journal.add(kinds.acknowledged, topic, epoch, offset, hash, serial);
      return { epoch, offset };
    }
    const reason = reasonOf(answer);
    if (isAnswer && answer.status < 500 && answer.status !== 429) {
      counts.refused++;
      count(`refused: ${reason}`);
      return undefined;
    }
    untilMs ||= performance.now() + tryForMs;
    if (performance.now() > untilMs) {
      counts.unanswered++;
      count(`given up: ${reason}`);
      journal.add(kinds.unanswered, topic, '', 0, hash, serial);
      return undefined;
    }
    counts.retries++;
    count(`tried again: ${reason}`);
    await setTimeout(retryDelayMs);
  }
}

/** The error code of the gateway, the first line of a balancer, or the error of the connection. */
function reasonOf(answer: HttpAnswer | Error): string {
  if (answer instanceof Error) return answer.message;
  const { status, body } = answer;
  const [, code = body.split('\n')[0]?.slice(0, 80)] = /"code":"(\w+)"/.exec(body) ?? [];
  return `${status} ${code}`;
}

function count(reason: string): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}

function finish(): PublisherReport {
  journal.close();
  for (const pool of pools) pool.close();
  return { ...counts, reasons: Object.fromEntries(reasons) };
}

const handlers = { start, publish, mark, finish };
export type PublisherCalls = typeof handlers;
serveCalls(handlers);
