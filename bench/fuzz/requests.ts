import { connect } from 'node:net';
import { seededRandom } from '../support/payload.ts';
import { localAddress } from '../support/raw-client.ts';
import { Mutator } from './mutate.ts';

export interface RequestsReport {
  readonly requests: number;
  /**
   * Counts by status; `closed`: closed without a response, at once or after the timeout for the rest of the request.
   */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly hangs: number;
  /** The first few with status 500, or without an end. */
  readonly faults: readonly string[];
}

export interface RequestsOptions {
  readonly port: number;
  readonly requests: number;
  readonly seed: number;
  /** Half-closes a connection without a response after this time; absent: the gateway has to time out. */
  readonly endAfterMs?: number;
}

const atOnce = 400;
/** The gateway closes a connection that sends nothing for 12 s. */
const overWithinMs = 30_000;
const keptFaults = 10;

const targets = [
  '/api/publish',
  '/api/publish/batch',
  '/api/broadcast',
  '/api/users/alice/notify',
  '/api/users/alice/sync',
  '/api/users/alice/connections',
  '/api/connections?limit=2',
  '/api/connections/abc/disconnect',
  '/api/topics',
  '/api/topics/fuzz%3Aa',
  '/api/topics/fuzz%3Aa/history?after=1&limit=3',
  '/api/topics/fuzz%3Aa/latest',
  '/api/stats',
  '/api/jobs/7',
  '/api/jobs/7/status',
  '/openapi.json',
  '/metrics',
  '/healthz',
  '/readyz',
  '/',
  '/client.js',
  '/ws',
  '/ws/fuzz:a',
  '/sse?topic=fuzz:a&last=3',
  '/sse?topic=server:*&filter=%7B%22op%22%3A%22eq%22%7D',
  '/sse',
  '/poll?topic=fuzz:a&timeoutSeconds=0',
  '/poll?topic=fuzz:a&topic=b&cursor=e.1.x&timeoutSeconds=0',
  '/poll',
  '/api/tokens/revoke',
];
const methods = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'BREW',
  '',
];
const bodies = [
  '{"topic":"fuzz:a","type":"e","data":{"a":1}}',
  '[{"topic":"fuzz:a","type":"e","data":1},{"topic":"fuzz:b","type":"e","key":"k","data":null}]',
  '{"topic":"fuzz:a","data":1}\n{"topic":"fuzz:a","data":2}\n',
  '{"topic":["fuzz:a","b"],"last":10,"timeoutSeconds":0}',
  '{"subscriptions":[{"topic":"fuzz:a","filter":{"op":"eq","tag":"a","value":"b"}}],"timeoutSeconds":0}',
  '{"type":"e","data":1,"except":"abc"}',
  '{"status":"running","progress":5}',
  '{"jti":"x","exp":4000000000}',
  '{}',
  '',
];
const headers = [
  'Content-Type: application/json',
  'Content-Type: application/x-ndjson',
  'Content-Type: text/plain',
  'Origin: https://evil.example',
  'Origin: null',
  'Authorization: Bearer a.b.c',
  'X-API-Key: nothing',
  'Last-Event-ID: e.1',
  'Accept: text/event-stream',
  'Accept-Encoding: gzip',
  'If-None-Match: *',
  'X-Forwarded-For: 1.2.3.4, ::1',
  'Cookie: a=b',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Range: bytes=0-1',
  'Content-Length: 5',
];

function requestBytes(mutator: Mutator): Buffer {
  const target = mutator.chance(0.7)
    ? mutator.pick(targets)
    : mutator.text(mutator.pick(targets)).replaceAll(/[\r\n]/g, '');
  const body = mutator.chance(0.5) ? mutator.pick(bodies) : mutator.text(mutator.pick(bodies));
  const lines = [
    `${mutator.pick(methods)} ${target || '/'} HTTP/1.1`,
    'Host: 127.0.0.1',
    ...Array.from({ length: mutator.below(4) }, () => mutator.pick(headers)),
    ...(mutator.chance(0.6) ? ['Content-Type: application/json'] : []),
    ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body) + (mutator.chance(0.02) ? 1 : 0)}`]),
  ];
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
  return mutator.chance(0.2) ? mutator.bytes(bytes, [bytes]) : bytes;
}

/** Sends mutated requests, each on its own connection, and waits until each gets a response or is closed. */
export async function fuzzRequests({
  port,
  requests,
  seed,
  endAfterMs,
}: RequestsOptions): Promise<RequestsReport> {
  const mutator = new Mutator(seededRandom(seed));
  const report = { requests: 0, outcomes: {} as Record<string, number>, hangs: 0, faults: [] as string[] };
  const blame = (what: string, bytes: Buffer) => {
    if (report.faults.length < keptFaults)
      report.faults.push(`${what}: ${JSON.stringify(bytes.toString('latin1'))}`);
  };

  async function ask(index: number): Promise<void> {
    const bytes = requestBytes(mutator);
    const outcome = await outcomeOf({ port, index, bytes, endAfterMs }, mutator);
    report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1;
    if (outcome === 'hangs') report.hangs++;
    if (outcome === 'hangs' || outcome === '500') blame(outcome, bytes);
  }
  await Promise.all(
    Array.from({ length: Math.min(atOnce, requests) }, async () => {
      while (report.requests < requests) await ask(report.requests++);
    }),
  );
  return report;
}

interface Attempt extends Pick<RequestsOptions, 'port' | 'endAfterMs'> {
  readonly index: number;
  readonly bytes: Buffer;
}

function outcomeOf({ port, index, bytes, endAfterMs }: Attempt, mutator: Mutator): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      localAddress: localAddress(index, 100),
      noDelay: true,
    });
    const end = (outcome: string) => {
      clearTimeout(timer);
      clearTimeout(ending);
      socket.removeAllListeners('close');
      socket.resetAndDestroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => end('hangs'), overWithinMs);
    const ending = endAfterMs === undefined ? undefined : setTimeout(() => socket.end(), endAfterMs);
    let head = '';
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (?!100)(\d\d\d)[\s\S]*\r\n\r\n/m.exec(head)?.[1];
      if (status !== undefined) end(status);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => end('closed'));
    const cut = mutator.chance(0.1) ? mutator.below(bytes.length + 1) : bytes.length;
    socket.write(bytes.subarray(0, cut));
    if (cut < bytes.length) setImmediate(() => socket.write(bytes.subarray(cut)));
    // An incomplete request gets no response.
    if (mutator.chance(0.3)) setImmediate(() => socket.end());
  });
}
