import { type CliDeps, Exit } from './deps.ts';

export interface PublishFlags {
  readonly type: string;
  readonly key?: string;
  readonly tag: Readonly<Record<string, string>>;
  readonly messageId?: string;
}

export interface PublishTarget {
  readonly url: string;
  /** An API key or a token. */
  readonly credential: string | undefined;
}

/** Publishes one update over HTTP and prints the result. */
export async function publish(
  { url, credential }: PublishTarget,
  topic: string,
  data: string | undefined,
  flags: PublishFlags,
  deps: CliDeps,
): Promise<void> {
  const { type, key, messageId, tag } = flags;
  const tags = Object.keys(tag).length > 0 ? tag : undefined;
  const body = spliceData({ topic, type, key, tags, messageId }, await dataBytes(data, deps));
  const headers = {
    'content-type': 'application/json',
    ...(credential ? { authorization: `Bearer ${credential}` } : {}),
  };
  const response = await deps
    .fetch(`${url}/api/publish`, { method: 'POST', headers, body })
    .catch((error: unknown) => {
      throw new Exit(1, `No gateway responds at ${url}.`, error);
    });
  const text = await response.text();
  if (!response.ok) throw new Exit(1, `${url} answered ${response.status}: ${text}`);
  deps.print(`${text}\n`);
}

/** Bytes for `fetch`, which takes no shared memory. */
type Bytes = Uint8Array<ArrayBuffer>;

async function dataBytes(data: string | undefined, deps: CliDeps): Promise<Bytes | undefined> {
  if (data !== '-') return data === undefined ? undefined : Buffer.from(data);
  const chunks: Uint8Array[] = [];
  for await (const chunk of deps.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Puts the bytes into the envelope unchanged. They are one valid JSON value, so they cannot add members to it. */
function spliceData(envelope: object, data: Bytes | undefined): Bytes {
  const head = JSON.stringify(envelope);
  if (data === undefined) return Buffer.from(head);
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data));
  } catch (error) {
    throw new Exit(2, `DATA must be JSON in UTF-8; a text needs its quotes: '"hello"'.`, error);
  }
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"data":`), data, Buffer.from('}')]);
}
