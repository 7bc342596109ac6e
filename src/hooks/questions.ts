import type { Payload, PublishFields } from '../protocol/frames.ts';
import type { Asker } from '../sessions/application.ts';
import type { HookClient, HookName } from './contract.ts';

export function clientOf({ session, identity, transport, address }: Asker): HookClient {
  return { session, user: identity.user, transport, address } as HookClient;
}

/** The payload as it is passed to a function of the application. */
function payloadValue({ format, bytes }: Payload): unknown {
  return format === 'json' ? JSON.parse(Buffer.from(bytes).toString()) : bytes.slice();
}

/** A payload as a member of a JSON object: JSON byte for byte, and not copied. */
function dataMember({ format, bytes }: Payload): Uint8Array[] {
  return format === 'json'
    ? [Buffer.from('"data":'), bytes]
    : [Buffer.from(`"dataBase64":"${Buffer.from(bytes).toString('base64')}"`)];
}

/** An object in JSON, with one more member. */
function withMember(object: object, pieces: readonly Uint8Array[]): Uint8Array[] {
  return [Buffer.from(`${JSON.stringify(object).slice(0, -1)},`), ...pieces, Buffer.from('}')];
}

function described({ topic, type, key, tags }: PublishFields) {
  return { topic, type, key, tags };
}

/** The question of a hook, for a function or a URL. Built when its turn comes. */
export interface Question {
  readonly value: () => unknown;
  /** Its pieces. */
  readonly body: () => readonly Uint8Array[];
  /** The bytes of the client's request that it keeps. */
  readonly bytes: number;
}

export function plainQuestion(hook: HookName, question: object, bytes = 0): Question {
  return {
    value: () => question,
    body: () => [Buffer.from(JSON.stringify({ hook, ...question }))],
    bytes,
  };
}

export function publishQuestion(client: HookClient, publishes: readonly PublishFields[]): Question {
  return {
    value: () => ({
      client,
      publications: publishes.map((fields) => ({ ...described(fields), data: payloadValue(fields.payload) })),
    }),
    body: () => {
      const items = publishes.flatMap((fields, index) => [
        ...(index > 0 ? [Buffer.from(',')] : []),
        ...withMember(described(fields), dataMember(fields.payload)),
      ]);
      const publications = [Buffer.from('"publications":['), ...items, Buffer.from(']')];
      return withMember({ hook: 'publish', client }, publications);
    },
    bytes: publishes.reduce((sum, { payload }) => sum + payload.bytes.length, 0),
  };
}

export function callQuestion(client: HookClient, method: string, payload: Payload): Question {
  return {
    value: () => ({ client, method, data: payloadValue(payload) }),
    body: () => withMember({ hook: 'call', client, method }, dataMember(payload)),
    bytes: payload.bytes.length,
  };
}
