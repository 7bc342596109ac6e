import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { TopicAction } from '../auth/identity.ts';
import { SluiceError, throwIf } from '../errors.ts';
import type { Position, PublishFields } from '../protocol/frames.ts';
import { toInstant } from '../protocol/instant.ts';
import { publishOf } from '../protocol/publication.ts';
import { compileFilter } from '../topics/filter.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { topicNameProblem } from '../topics/publish-problem.ts';
import { publishFor, readingFor } from './application.ts';
import { type ApiResponse, json } from './http.ts';
import { readJsonBody } from './json-body.ts';
import type { ApiPorts } from './ports.ts';
import { jobBody, type jobParams } from './request-schemas.ts';
import { job } from './response-schemas.ts';
import type { Call } from './route.ts';
import { instant } from './schemas.ts';
import { invalidRequest } from './validate.ts';

/** The state of a job, as its topic has it. */
const reported = job.omit({ ended: true, topic: true, epoch: true, offset: true });

/** The statuses that end a job, and the types of the messages that say so. */
const typeByEnd = new Map([
  ['completed', 'job_completed'],
  ['error', 'job_error'],
]);
const endByType = new Map([...typeByEnd].map(([status, type]) => [type, status]));

type Params = z.output<typeof jobParams>;
type Update = z.output<typeof jobBody>;
type Job = z.output<typeof reported>;

/** The state of a job, and the position of the publication that has it. */
interface StoredJob {
  readonly position: Position;
  /** Absent: nothing was reported yet, or not lately. */
  readonly job: Job | undefined;
}

/**
 * Attempts of one report: other reports that come in between make it look again. A job has no use for more than a few
 * at once.
 */
const triesMax = 20;

/** The newest report is looked for among this many messages. */
const lookBackMax = 100;

/** `PUT /api/jobs/{id}` */
export async function updateJob(call: Call<Params>, ports: ApiPorts): Promise<ApiResponse> {
  const topic = jobTopic(call, ports, 'publish');
  const update = readJsonBody(call.body, jobBody);
  const { id } = call.params;
  if (String(update.job_id ?? id) !== id)
    throw invalidRequest([{ path: 'job_id', message: 'is another job than that of the path' }]);
  const messageId = update.messageId ?? randomUUID();
  for (let tries = 0; tries < triesMax; tries++) {
    const stored = await readJob(topic, ports);
    const next = nextJob(id, update, stored.job);
    if (stored.job !== undefined && isSame(next, stored.job))
      return jobResponse(stored.job, topic, stored.position);
    const fields = publicationOf(topic, next, messageId);
    // The engine compares the position where it gives the offset: no report overtakes another, on any node.
    const [outcome] = await publishFor(call, ports, [fields], stored.position);
    if (outcome?.ok) return jobResponse(next, topic, outcome);
    if (outcome?.error.code !== 'position_conflict') throw outcome?.error;
  }
  throw new SluiceError('job_conflict', 'too many reports of this job at the same time');
}

/** `GET /api/jobs/{id}/status` */
export async function showJob(call: Call<Params>, ports: ApiPorts): Promise<ApiResponse> {
  const topic = jobTopic(call, ports, 'subscribe');
  const filter = await readingFor(call, ports, topic);
  const stored = await readJob(topic, ports);
  // Reports of jobs have no tags: a filter that wants some lets none through.
  const isHidden = filter !== undefined && !compileFilter(filter).matches(undefined);
  if (stored.job === undefined || isHidden)
    throw new SluiceError('not_found', 'no progress of this job was reported');
  return jobResponse(stored.job, topic, stored.position);
}

function jobTopic({ params: { id }, identity }: Call<Params>, ports: ApiPorts, action: TopicAction): string {
  const topic = `job:${id}`;
  throwIf(topicNameProblem(topic) ?? ports.authorize(identity, action, topic));
  return topic;
}

async function readJob(topic: string, { topics }: ApiPorts): Promise<StoredJob> {
  const { epoch, offset, publications } = await topics.latest(topic, { after: '', limit: 1 });
  const newest = publications[0];
  const position = { epoch, offset };
  const job = newest && jobOf(topic, newest);
  if (newest === undefined || job !== undefined) return { position, job };
  // A message about something else, which took the place of the newest report.
  const before = await topics.history(topic, Math.max(0, offset - lookBackMax), lookBackMax);
  for (const each of before.publications.toReversed()) {
    const earlier = jobOf(topic, each);
    if (earlier !== undefined) return { position, job: earlier };
  }
  return { position, job: undefined };
}

/**
 * The state that a publication has: what `PUT` stored, or a message of a backend that publishes by itself and may leave
 * members out. Undefined: it is about something else.
 */
function jobOf(topic: string, { type, payload, timestampMs }: StoredPublication): Job | undefined {
  const end = endByType.get(type);
  const usual = end ?? (type === 'job_progress' ? 'running' : undefined);
  try {
    const report: Readonly<Record<string, unknown>> = JSON.parse(Buffer.from(payload.bytes).toString());
    // `details` may be any value.
    const isGiven = ([name, value]: [string, unknown]) => value !== null || name === 'details';
    const members = Object.fromEntries(Object.entries(report).filter(isGiven));
    const { progress = usual && usualProgress(usual), status = usual, timestamp } = members;
    return reported.safeParse({
      ...members,
      job_id: topic.slice('job:'.length),
      progress,
      status: end ?? status,
      timestamp: instant.safeParse(timestamp).data ?? toInstant(timestampMs),
    }).data;
  } catch {
    return undefined;
  }
}

function usualProgress(status: string, before = 0): number {
  return status === 'completed' ? 100 : before;
}

/** The next state. Throws `job_conflict` if it may not follow. */
function nextJob(id: string, update: Update, known: Job | undefined): Job {
  const { status, details, restart } = update;
  const before = restart ? undefined : known;
  const progress = update.progress ?? usualProgress(status, before?.progress);
  const next = {
    job_id: id,
    progress,
    status,
    current_step: update.current_step ?? update.currentStep ?? undefined,
    error: update.error ?? undefined,
    details,
    timestamp: update.timestamp ?? toInstant(Date.now()),
  };
  if (before === undefined || isSame(next, before)) return next;
  if (isEnd(before.status)) {
    throw new SluiceError('job_conflict', `the job has ended: its status is ${before.status}`);
  }
  if (progress < before.progress) {
    throw new SluiceError('job_conflict', `the progress is already ${before.progress}`);
  }
  return next;
}

function isEnd(status: string): boolean {
  return typeByEnd.has(status);
}

/** Whether two states are the same, but for their times. */
function isSame(next: Job, known: Job): boolean {
  const textOf = ({ timestamp: _, ...rest }: Job) =>
    JSON.stringify(
      Object.entries(rest)
        .filter(([, v]) => v !== undefined)
        .sort(),
    );
  return textOf(next) === textOf(known);
}

function publicationOf(topic: string, next: Job, messageId: string): PublishFields {
  const type = typeByEnd.get(next.status) ?? 'job_progress';
  const payload = { format: 'json', bytes: Buffer.from(JSON.stringify(next)) } as const;
  return publishOf({ topic, type, payload, messageId });
}

function jobResponse(known: Job, topic: string, { epoch, offset }: Position): ApiResponse {
  return json({ ...known, ended: isEnd(known.status), topic, epoch, offset });
}
