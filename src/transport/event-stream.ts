import type { closeTable } from '../errors.ts';
import { concatBytes } from '../protocol/bytes.ts';
import { isServerKind } from '../protocol/server-frames.ts';

/** How a client wants events of publications named: all `message`, or each by its frame's type. */
export type EventNames = 'message' | 'type';

/** One frame as Server-Sent Events. The bytes are shared by all receivers that want the same names. */
export interface EventBytes {
  /** Whole events, without an id, that come before the last one. */
  readonly before: Uint8Array;
  /** The last event without its id, which is written before it. */
  readonly event: Uint8Array;
}

const nothing = new Uint8Array(0);
const utf8 = new TextEncoder();
const text = new TextDecoder();
const ascii = new TextDecoder('latin1');

/** The longest type of a publication has 64 characters. */
const headBytes = 96;
const frameType = /^\{"type":"([A-Za-z0-9_\-.:]+)"/;

/** Kinds of frames that carry publications. */
const carriers: ReadonlySet<string> = new Set(['batch', 'snapshot']);

/** Types of publications that are no names of events: a client would take them for the gateway's, or its own. */
const taken: ReadonlySet<string> = new Set(['gap', 'expired', 'open']);

/**
 * A frame of the JSON codec as events. `data` is the frame. Line ends in a payload become several `data` lines, which a
 * client joins again. Frames without publications are named by their type whatever `names` says.
 */
export function eventBytes(frame: Uint8Array, names: EventNames): EventBytes {
  const type = frameType.exec(ascii.decode(frame.subarray(0, headBytes)))?.[1] ?? '';
  // A publication's type may be the name of a member of every object.
  const special = Object.hasOwn(specials, type) ? specials[type] : undefined;
  if (special !== undefined) return special(frame);
  const isControl = isServerKind(type) && !carriers.has(type);
  const isNamed = isControl || (names === 'type' && !taken.has(type));
  return { before: nothing, event: eventOf(isNamed ? type : '', frame) };
}

/** By the type of the frame: frames that become more than one event, or say more than their frame. */
const specials: Readonly<Record<string, (frame: Uint8Array) => EventBytes>> = {
  caughtUp: (frame) => ({
    before: nothing,
    event: eventOf(member(frame, 'recovered') === false ? 'gap' : 'caughtUp', frame),
  }),
  subscribed: (frame) => {
    const gaps = gapsOf(member(frame, 'results'));
    const subscribed = eventOf('subscribed', frame);
    const last = gaps.at(-1);
    if (last === undefined) return { before: nothing, event: subscribed };
    return { before: concatBytes([subscribed, ...gaps.slice(0, -1)]), event: last };
  },
  goingAway: (frame) => {
    const reason = String(member(frame, 'reason'));
    const delayMs = retryMsOf(reason, Number(member(frame, 'reconnectDelayMs')));
    const event = eventOf(reason === 'unauthorized' ? 'expired' : 'goingAway', frame);
    return delayMs === 0 ? { before: nothing, event } : { before: retryLine(delayMs), event };
  },
};

/**
 * Ends a stream for good: nothing else keeps a browser's EventSource from reconnecting after the operator ended its
 * connection.
 */
const neverMs = 86_400_000;

function retryMsOf(reason: string, reconnectDelayMs: number): number {
  return reason === ('disconnected' satisfies keyof typeof closeTable) ? neverMs : reconnectDelayMs;
}

/** Sets the time after which the client reconnects. */
export function retryLine(delayMs: number): Uint8Array {
  return utf8.encode(`retry: ${delayMs}\n`);
}

/** An event with JSON of the gateway's own. */
export function jsonEvent(name: string, value: unknown): Uint8Array {
  return eventOf(name, utf8.encode(JSON.stringify(value)));
}

/**
 * A comment that keeps proxies from ending a silent stream. No blank line follows it, because some clients take that
 * for an event.
 */
export const heartbeat = utf8.encode(': ping\n');
/** The shortest comment. */
export const emptyComment = utf8.encode(':\n');

const dataStart = utf8.encode('data: ');
const lineStart = utf8.encode('\ndata: ');
const end = utf8.encode('\n\n');
const lineFeed = 10;
const carriageReturn = 13;

function eventOf(name: string, data: Uint8Array): Uint8Array {
  const head = name === '' ? nothing : utf8.encode(`event: ${name}\n`);
  return concatBytes([head, dataStart, ...linesOf(data), end]);
}

/** Each line end, in any of its three forms, begins another `data` field. */
function linesOf(data: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== lineFeed && data[i] !== carriageReturn) continue;
    pieces.push(data.subarray(start, i), lineStart);
    if (data[i] === carriageReturn && data[i + 1] === lineFeed) i++;
    start = i + 1;
  }
  pieces.push(data.subarray(start));
  return pieces;
}

function member(frame: Uint8Array, name: string): unknown {
  return (JSON.parse(text.decode(frame)) as Record<string, unknown>)[name];
}

interface Result {
  readonly recovered?: boolean;
  readonly view?: number;
  readonly topic: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly missing?: unknown;
  readonly topics?: readonly Result[];
}

/** An event for each subscription that misses something, as if it had been caught up and told so. */
function gapsOf(results: unknown): Uint8Array[] {
  return (results as readonly Result[])
    .filter(({ recovered }) => recovered === false)
    .map(({ view, topic, epoch, offset, recovered, missing }) =>
      jsonEvent('gap', { type: 'caughtUp', view, topic, epoch, offset, recovered, missing }),
    );
}
