import type { Acknowledgement, Change } from '../replica/upstream.ts';
import { decodeRecord } from './records.ts';

/** The log does not continue from where the node was: the node must read everything again. */
class LogGap extends Error {}

/** The state of a node that reads the log. */
export interface Reading {
  /** Changes with the server, and with the numbering. */
  readonly term: string;
  /** The entry that was read last. */
  readonly last: string;
  readonly windowMs: number;
  /** When a publication of this node was accepted; undefined: another node's. */
  readonly acceptedAtMs: (node: string, batch: number, index: number) => number | undefined;
  /** Called for an entry of a kind that this version does not know. */
  readonly unknown: (kind: string) => void;
}

export interface LogEntries {
  readonly changes: readonly Change[];
  /** The id of the newest entry. */
  readonly last: string;
}

type Entry = readonly [
  id: Buffer,
  fields: readonly [name: Buffer, about: Buffer, name: Buffer, record: Buffer],
];

/** The entries of the log, as the script `commit` wrote them. Throws a `LogGap`. */
export function readEntries(entries: readonly unknown[], reading: Reading): LogEntries {
  const changes: Change[] = [];
  let { last } = reading;
  for (const [id, [, about, , record]] of entries as readonly Entry[]) {
    const [previous, term, kind = '', ...rest] = about.toString().split(' ');
    const at = id.toString();
    if (previous !== last) throw new LogGap(`the log goes on after ${previous}, not after ${last}`);
    if (term !== reading.term) throw new LogGap('the log was begun anew');
    const read = Object.hasOwn(readers, kind) ? readers[kind as keyof typeof readers] : undefined;
    // In a format that this version knows, an entry of an unknown kind can be ignored.
    if (read === undefined) reading.unknown(kind);
    else changes.push(read(rest, record, at, reading));
    last = at;
  }
  return { changes, last };
}

const readers = {
  p: (rest: readonly string[], record: Buffer, id: string, reading: Reading): Change => {
    const [epoch = '', node = '', batch, index, idMs, topic = ''] = rest;
    const acceptedAtMs = reading.acceptedAtMs(node, Number(batch), Number(index) - 1);
    const publication = decodeRecord(topic, record, Number.parseInt(id, 10), acceptedAtMs);
    const idsUntilMs = idMs === '0' ? 0 : Number(idMs) + reading.windowMs;
    return { kind: 'appended', epoch, publication, isOwn: acceptedAtMs !== undefined, idsUntilMs };
  },
  d: (_: readonly string[], record: Buffer): Change => {
    const [forgottenSeq, ...topics] = record.toString().split(' ');
    return { kind: 'dropped', topics, forgottenSeq: Number(forgottenSeq) };
  },
  a: (_: readonly string[], record: Buffer): Change => ({
    kind: 'acknowledged',
    acknowledged: (JSON.parse(record.toString()) as [[string, string], string, number][]).map(
      ([[topic, user], epoch, offset]): Acknowledgement => ({ topic, user, position: { epoch, offset } }),
    ),
  }),
};
