import type {
  BatchHeader,
  Filter,
  Mode,
  Payload,
  Publication,
  PublishFields,
  SubscribeResult,
  TopicResult,
} from '../frames.ts';
import { seenOf } from '../publication.ts';
import type { ServerFrame } from '../server-frames.ts';
import { fromClient, toClient } from './schema.ts';

/** Frames as the generated encoder takes them: the same names, but for payloads, filters and modes. */

type ServerWire = toClient.ServerFrame.$Properties;

const Operator = fromClient.Filter.Operator;

export const operators = {
  eq: Operator.OPERATOR_EQ,
  in: Operator.OPERATOR_IN,
  prefix: Operator.OPERATOR_PREFIX,
  lt: Operator.OPERATOR_LT,
  lte: Operator.OPERATOR_LTE,
  gt: Operator.OPERATOR_GT,
  gte: Operator.OPERATOR_GTE,
  exists: Operator.OPERATOR_EXISTS,
  and: Operator.OPERATOR_AND,
  or: Operator.OPERATOR_OR,
  not: Operator.OPERATOR_NOT,
} as const satisfies Record<Filter['op'], number>;

const operatorNames: ReadonlyMap<unknown, string> = new Map(
  Object.entries(operators).map(([name, number]) => [number, name]),
);

/** Undefined: there is no such operator. */
export function operatorName(value: unknown): string | undefined {
  return operatorNames.get(value);
}

export function payloadToWire(payload: Payload | undefined): { json?: Uint8Array; binary?: Uint8Array } {
  if (payload === undefined) return {};
  return payload.format === 'json' ? { json: payload.bytes } : { binary: payload.bytes };
}

function publicationToWire(publication: Publication): toClient.Publication.$Properties {
  const { offset, timestampMs, type, payload } = publication;
  return { offset, timestampMs, type, ...seenOf(publication), ...payloadToWire(payload) };
}

/** A member that `proto/gateway.proto` lacks does not compile here; afterwards `npm run proto`. */
type Lacking<Fields, Wire> = Exclude<keyof Fields, keyof Wire | 'payload'>;
const lacking: readonly [
  Lacking<PublishFields, fromClient.Publish.$Properties>,
  Lacking<Publication, toClient.Publication.$Properties>,
][] = [];
lacking satisfies readonly [never, never][];

export function batchHeaderToWire(header: BatchHeader): toClient.Batch.$Properties {
  const { view, topic, epoch, after, upto, cursor } = header;
  return { view, topic, epoch, after, upto: upto === after + 1 ? 0 : upto, cursor };
}

export function serverFrameToWire(frame: Exclude<ServerFrame, { kind: 'subscribed' }>): ServerWire {
  const { id } = frame;
  switch (frame.kind) {
    case 'batch': {
      const { publications, compressed } = frame;
      const batch = { ...batchHeaderToWire(frame), ...compressed };
      return { id, batch: { ...batch, publications: publications.map(publicationToWire) } };
    }
    case 'snapshot':
    case 'history': {
      const { publications, ...rest } = frame;
      return { id, [frame.kind]: { ...rest, publications: publications.map(publicationToWire) } };
    }
    case 'message':
      return { id, message: { type: frame.type, ...payloadToWire(frame.payload) } };
    case 'result':
      return { id, result: payloadToWire(frame.payload) };
    // Written out, as each session gets two: an object with a computed name is built more slowly.
    case 'connected':
      return { id, connected: frame as toClient.Connected.$Properties };
    case 'reset':
      return { id, reset: { ...frame, mode: modeToWire(frame.mode) } };
    default:
      return { id, [frame.kind]: frame };
  }
}

/** Without the topics that it lists. */
export function resultToWire(result: SubscribeResult): toClient.SubscribeResult.$Properties {
  if ('error' in result) return { topic: result.topic, error: result.error };
  // One by one: what is left over by a rest pattern is an object of the slow kind, and so is all that reads it.
  const { topic, view, mode, epoch, offset, recovered, missing, intervalMs, cursor, inbox } = result;
  return {
    topic,
    view,
    mode: modeToWire(mode),
    epoch,
    offset,
    recovered,
    missing,
    intervalMs,
    inbox,
    cursor,
  };
}

/** The topic as the generated encoder takes it, until the next call. */
export function listedToWire({ topic, epoch, offset, recovered, missing, mode }: TopicResult): object {
  listed.topic = topic;
  listed.epoch = epoch;
  listed.offset = offset;
  listed.recovered = recovered ?? null;
  listed.missing = missing ?? null;
  listed.mode = modeToWire(mode);
  return listed;
}

const listed: Pick<toClient.TopicResult.$Properties, keyof TopicResult> = {};

function modeToWire(mode: Mode): number {
  return toClient.Mode[mode === 'state' ? 'MODE_STATE' : 'MODE_STREAM'];
}
