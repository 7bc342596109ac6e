import autocannon from 'autocannon';
import { serveCalls } from '../support/worker.ts';

export interface CannonJob {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface CannonReport {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Responses with an error, and requests without a response. */
  readonly failed: number;
}

async function fire({ url, headers, body, connections, seconds }: CannonJob): Promise<CannonReport> {
  const result = await autocannon({
    url,
    method: 'POST',
    headers: { ...headers },
    body,
    connections,
    duration: seconds,
  });
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.non2xx + result.errors + result.timeouts,
  };
}

const handlers = { fire };
export type CannonCalls = typeof handlers;
serveCalls(handlers);
