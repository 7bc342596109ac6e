import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PublishFields } from '../../src/protocol/frames.ts';

/** Metrics of a real machine, as the built-in source published them; `npm run bench -- record` makes it anew. */
export const tracePath = fileURLToPath(new URL('../traces/host.ndjson', import.meta.url));

/** A line of the trace; `data` is the payload, in the very bytes that `JSON.stringify` gives. */
interface TraceEntry extends Omit<PublishFields, 'payload' | 'topic'> {
  readonly data: unknown;
}

export type TracedFields = Omit<PublishFields, 'topic'>;

export function traceLine({ topic: _, payload, ...fields }: PublishFields): string {
  const data: unknown = JSON.parse(Buffer.from(payload.bytes).toString());
  return `${JSON.stringify({ ...fields, data } satisfies TraceEntry)}\n`;
}

export function readTrace(): TracedFields[] {
  const lines = readFileSync(tracePath, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const { data, ...fields } = JSON.parse(line) as TraceEntry;
    return { ...fields, payload: { format: 'json', bytes: Buffer.from(JSON.stringify(data)) } };
  });
}
