import { subscriptionKey } from '../../protocol/equal-subscriptions.ts';
import type { Subscription } from '../../protocol/frames.ts';
import {
  type Cursor,
  formatCursor,
  type Progress,
  parseCursor,
  subscriptionsKey,
} from '../../topics/cursor.ts';
import { isPattern } from '../../topics/topic-name.ts';

/** Where a stream continues that was another session before. */
export interface Continuation {
  readonly cursor: string;
  readonly formerSession: string | undefined;
}

/** Where a stream begins. */
export interface StreamStart {
  readonly subscriptions: readonly Subscription[];
  /** Undefined: it is its client's first. */
  readonly continuation: Continuation | undefined;
  /** `subscriptionsKey` of the subscriptions. */
  readonly subscriptionsKey: string;
}

/**
 * A stream with a cursor begins there alone. If its subscriptions have changed, it may lack the values of state topics,
 * and gets all of them; and the cursor goes on naming its former stream: see `Resumption`.
 */
export function streamStart(subscriptions: readonly Subscription[], cursor: Cursor | undefined): StreamStart {
  const key = subscriptionsKey(subscriptions.map(subscriptionKey));
  if (cursor === undefined) return { subscriptions, continuation: undefined, subscriptionsKey: key };
  const isSame = cursor.stream === undefined || cursor.stream.subscriptions === key;
  const text = formatCursor(isSame ? { ...cursor, stream: undefined } : lackingValues(cursor));
  const continued = subscriptions.map(({ since: _since, positions: _positions, last: _last, ...rest }) => ({
    ...rest,
    cursor: text,
  }));
  const continuation = { cursor: text, formerSession: cursor.stream?.session };
  return { subscriptions: continued, continuation, subscriptionsKey: key };
}

function lackingValues({ epoch, seq, exceptions, stream }: Cursor): Cursor {
  const lacking = [...(exceptions ?? [])].map(([key, progress]): [string, Progress] => [
    key,
    { ...progress, lacksValues: true },
  ]);
  const all = lacking.length > 0 && { exceptions: new Map(lacking) };
  return { epoch, seq, lacksValues: true, ...all, stream };
}

/**
 * The session that the client of a stream had before, by its cursor, by what it says, or by one of the cursors of its
 * subscriptions.
 */
export function formerSessionOf({
  cursor,
  former,
  subscriptions,
}: {
  readonly cursor: Cursor | undefined;
  readonly former: string | undefined;
  readonly subscriptions: readonly Subscription[];
}): string | undefined {
  if (cursor !== undefined) return cursor.stream?.session;
  if (former !== undefined) return former;
  for (const { cursor: text } of subscriptions) {
    const session = text === undefined ? undefined : parseCursor(text)?.stream?.session;
    if (session !== undefined) return session;
  }
  return undefined;
}

/** Patterns take long to subscribe to. */
export function hasPattern(subscriptions: readonly Subscription[]): boolean {
  return subscriptions.some(({ topic }) => isPattern(topic));
}
