import { createHash } from 'node:crypto';
import { isPattern, isReserved } from './topic-name.ts';

/** How far a client is in a set of topics. */
export interface Progress {
  /** The client has had, or was told that it lacks, everything up to this commit. */
  readonly seq: number;
  /** It had not been sent the values of state topics yet, and needs all of them. */
  readonly lacksValues: boolean;
}

/** How far a client is in everything that an engine commits: one position for any number of topics. */
export interface Cursor extends Progress {
  /** The identity of the engine's numbering of commits. */
  readonly epoch: string;
  /** Streams only: positions other than `seq`, by `exceptionKey`. */
  readonly exceptions?: ReadonlyMap<string, Progress>;
  /** Streams only: its session, and `subscriptionsKey` of what it was subscribed to. */
  readonly stream?: { readonly session: string; readonly subscriptions: string } | undefined;
}

export const cursorMaxLength = 1024;
/** This many exceptions always fit into a cursor. */
export const exceptionsMax = 40;

const keyBytes = 6;
const form =
  /^([A-Za-z0-9_-]+)\.([0-9a-z]+)(!?)((?:~[A-Za-z0-9_-]{8}\.[0-9a-z]+!?)*)(?:@([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{8}))?$/;
const exceptionForm = /~([A-Za-z0-9_-]{8})\.([0-9a-z]+)(!?)/g;

/**
 * `EPOCH.SEQ`, the number in base 36; with a `!` where values are lacking. Of a stream it goes on with `~KEY.SEQ` for
 * each exception and `@SESSION.SUBSCRIPTIONS`. Opaque to clients. Its characters need no encoding in a URL or a header.
 */
export function formatCursor({ epoch, seq, lacksValues, exceptions, stream }: Cursor): string {
  let text = `${epoch}.${progressText({ seq, lacksValues })}`;
  for (const [key, had] of exceptions ?? []) text += exceptionText(key, had);
  return stream === undefined ? text : text + streamText(stream);
}

/** The parts of a cursor, for callers that build many of them from shared parts. */
export function progressText({ seq, lacksValues }: Progress): string {
  return lacksValues ? `${seq.toString(36)}!` : seq.toString(36);
}

export function exceptionText(key: string, had: Progress): string {
  return `~${key}.${progressText(had)}`;
}

export function streamText({ session, subscriptions }: NonNullable<Cursor['stream']>): string {
  return `@${session}.${subscriptions}`;
}

/**
 * The key of a stream's subscription: a topic, a pattern, or either with options. With `topic`, the key of that topic
 * within the pattern.
 */
export function exceptionKey(base: string, topic?: string): string {
  return digest(topic === undefined ? base : `${base}\n${topic}`);
}

/** The same for equal sets of subscriptions only, by `subscriptionKey` of each. */
export function subscriptionsKey(keys: readonly string[]): string {
  return digest([...keys].sort().join('\n'));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest().toString('base64url', 0, keyBytes);
}

/** The cursor of a client that has had everything up to now. */
export function cursorNow({ epoch, seq }: Pick<Cursor, 'epoch' | 'seq'>, lacksValues = false): string {
  return formatCursor({ epoch, seq, lacksValues });
}

/** Returns undefined for a text that is not a cursor. */
export function parseCursor(text: string): Cursor | undefined {
  if (text.length > cursorMaxLength) return undefined;
  const [, epoch, digits, mark, rest, session, subscriptions] = form.exec(text) ?? [];
  if (epoch === undefined) return undefined;
  const progress = parseProgress(digits, mark);
  const exceptions = parseExceptions(rest ?? '');
  if (progress === undefined || exceptions === undefined) return undefined;
  const stream =
    session === undefined || subscriptions === undefined ? undefined : { session, subscriptions };
  return {
    epoch,
    ...progress,
    ...(exceptions.size > 0 && { exceptions }),
    ...(stream !== undefined && { stream }),
  };
}

function parseExceptions(text: string): Map<string, Progress> | undefined {
  const exceptions = new Map<string, Progress>();
  for (const [, key, digits, mark] of text.matchAll(exceptionForm)) {
    const had = parseProgress(digits, mark);
    if (had === undefined) return undefined;
    const other = exceptions.get(key as string);
    // No gateway writes a key twice.
    exceptions.set(key as string, other === undefined ? had : lowestOf([had, other]));
  }
  return exceptions;
}

/** The earliest of these positions. */
export function lowestOf(all: Iterable<Progress>): Progress {
  let seq = Number.MAX_SAFE_INTEGER;
  let lacksValues = false;
  for (const progress of all) {
    seq = Math.min(seq, progress.seq);
    if (progress.lacksValues) lacksValues = true;
  }
  return { seq, lacksValues };
}

function parseProgress(digits = '', mark = ''): Progress | undefined {
  const seq = Number.parseInt(digits, 36);
  if (!Number.isSafeInteger(seq) || seq.toString(36) !== digits) return undefined;
  return { seq, lacksValues: mark === '!' };
}

/**
 * What a cursor says of one subscription, to a topic or a pattern.
 *
 * A cursor that names a stream may be of other subscriptions than the client has now, which overlap in any way. Then a
 * topic is at the earliest position of all exceptions that may be about it: the client may get some publications again.
 */
export class Resumption {
  /** The keys of its exceptions are made of this. Undefined: they are of other subscriptions. */
  readonly #key: string | undefined;
  readonly #cursor: Cursor;
  readonly #digests = new Map<string, string>();
  /** Where the client is in topics without an exception. */
  readonly base: Progress;

  /** `key` names the subscription, if its client had several to the target. */
  constructor(cursor: Cursor, target: string, key: string) {
    this.#cursor = cursor;
    const { exceptions, stream } = cursor;
    const own = [key, target].find((each) => exceptions?.has(exceptionKey(each)));
    const isOther = own === undefined && exceptions !== undefined && stream !== undefined;
    this.#key = isOther ? undefined : (own ?? target);
    const ofOwn = own === undefined ? undefined : exceptions?.get(exceptionKey(own));
    this.base = isOther && !isPattern(target) ? this.of(target) : (ofOwn ?? cursor);
  }

  /** Where the client is in one topic of the pattern. */
  of(topic: string): Progress {
    const { exceptions } = this.#cursor;
    if (exceptions === undefined) return this.base;
    if (this.#key !== undefined) return exceptions.get(exceptionKey(this.#key, topic)) ?? this.base;
    const all = coversOf(topic).flatMap((cover) => this.#exceptionOf(cover, topic) ?? []);
    return all.length === 0 ? this.#cursor : lowestOf(all);
  }

  /** What `of` costs for a topic of this name: the exceptions that it looks for. */
  costOf(topic: string): number {
    return this.#key === undefined ? topic.length + 2 : 1;
  }

  /** No topic's position is earlier than this. The keys do not tell which topics the exceptions are about. */
  get lowest(): Progress {
    return lowestOf([this.base, ...(this.#cursor.exceptions?.values() ?? [])]);
  }

  get hasExceptions(): boolean {
    return this.#cursor.exceptions !== undefined;
  }

  /** Where the client is in the topic by this target, if it is an exception. */
  #exceptionOf(target: string, topic: string): Progress | undefined {
    const { exceptions } = this.#cursor;
    const within = exceptions?.get(exceptionKey(target, topic));
    if (within !== undefined) return within;
    let digest = this.#digests.get(target);
    if (digest === undefined) {
      digest = exceptionKey(target);
      this.#digests.set(target, digest);
    }
    return exceptions?.get(digest);
  }
}

/** The topic, and all patterns that match it. */
function coversOf(topic: string): string[] {
  if (isReserved(topic)) return [topic];
  return [topic, ...Array.from({ length: topic.length + 1 }, (_, end) => `${topic.slice(0, end)}*`)];
}
