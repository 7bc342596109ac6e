import { messageIdWindowMs } from '../../topics/message-id-budget.ts';
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

/** An entry of the log, as the script `commit` wrote it. */
export interface LogEntry {
  readonly id: string;
  /** The previous entry, the term, the kind, and what the kind has. */
  readonly about: string;
  readonly record: Buffer;
}

type RawEntry = readonly [
  id: Buffer,
  fields: readonly [name: Buffer, about: Buffer, name: Buffer, record: Buffer],
];

/** `stored`: as XREAD replies. */
export function entriesOf(stored: readonly unknown[]): readonly LogEntry[] {
  return (stored as readonly RawEntry[]).map(([id, [, about, , record]]) => ({
    id: id.toString(),
    about: about.toString(),
    record,
  }));
}

const lineFeed = 10;

/**
 * The entries in a message of the feed, whose bytes they share: before each record a line with its length, the id, and
 * what it is about. There are none in what no node has sent.
 */
export function entriesIn(message: Buffer): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  for (let at = 0; at < message.length; ) {
    const from = message.indexOf(lineFeed, at) + 1;
    const line = message.toString('latin1', at, from - 1);
    const lengthEnd = line.indexOf(' ');
    const idEnd = line.indexOf(' ', lengthEnd + 1);
    at = from + Number(line.slice(0, lengthEnd));
    if (from === 0 || idEnd === -1 || !(at >= from && at <= message.length)) return [];
    const [id, about] = [line.slice(lengthEnd + 1, idEnd), line.slice(idEnd + 1)];
    entries.push({ id, about, record: message.subarray(from, at) });
  }
  return entries;
}

/** Whether an entry comes after another one, by their ids. */
export function isAfter(id: string, other: string): boolean {
  const [seq, minor] = id.split('-').map(Number) as [number, number];
  const [otherSeq, otherMinor] = other.split('-').map(Number) as [number, number];
  return seq > otherSeq || (seq === otherSeq && minor > otherMinor);
}

/** Throws a `LogGap`. */
export function readEntries(entries: readonly LogEntry[], reading: Reading): LogEntries {
  const changes: Change[] = [];
  let { last } = reading;
  for (const { id: at, about, record } of entries) {
    const [previous, term, kind = '', ...rest] = about.split(' ');
    if (previous !== last) throw new LogGap(`the log goes on after ${previous}, not after ${last}`);
    if (term !== reading.term) throw new LogGap('the log was begun anew');
    const reader = Object.hasOwn(readers, kind) ? readers[kind as keyof typeof readers] : undefined;
    // In a format that this version knows, an entry of an unknown kind can be ignored.
    if (reader === undefined) reading.unknown(kind);
    else changes.push(reader(rest, record, at, reading));
    last = at;
  }
  return { changes, last };
}

const readers = {
  p: (rest: readonly string[], record: Buffer, id: string, reading: Reading): Change => {
    const [epoch = '', node = '', batch, index, idMs, topic = ''] = rest;
    const acceptedAtMs = reading.acceptedAtMs(node, Number(batch), Number(index) - 1);
    const publication = decodeRecord(topic, record, Number.parseInt(id, 10), acceptedAtMs);
    const idsUntilMs = idMs === '0' ? 0 : Number(idMs) + messageIdWindowMs;
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
