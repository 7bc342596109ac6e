import { createHash } from 'node:crypto';
import type { PublishFields } from '../protocol/frames.ts';
import { LinkedMap } from './linked-map.ts';

export const messageIdWindowMs = 5 * 60_000;
export const messageIdsPerTopic = 10_000;

interface Seen {
  readonly offset: number;
  readonly digest: string;
  readonly atMs: number;
}

/** The message ids that one topic remembers, oldest first: for 5 minutes, at most the last 10 000. */
export class MessageIds {
  readonly #seen = new LinkedMap<string, Seen>();

  get size(): number {
    return this.#seen.size;
  }

  /** Of the oldest that is remembered. */
  get oldestOffset(): number | undefined {
    return this.#seen.oldest?.value.offset;
  }

  get(messageId: string, nowMs: number): Seen | undefined {
    const seen = this.#seen.get(messageId);
    return seen !== undefined && nowMs - seen.atMs < messageIdWindowMs ? seen : undefined;
  }

  add(messageId: string, seen: Seen): void {
    this.#seen.set(messageId, seen);
    this.prune(seen.atMs);
    const { oldest, size } = this.#seen;
    if (oldest !== undefined && size > messageIdsPerTopic) this.#seen.delete(oldest.key);
  }

  /** Lets go of what is older than the window; answers how many live. */
  prune(nowMs: number): number {
    for (;;) {
      const { oldest } = this.#seen;
      if (oldest === undefined || nowMs - oldest.value.atMs < messageIdWindowMs) return this.#seen.size;
      this.#seen.delete(oldest.key);
    }
  }
}

/**
 * Tells whether two publishes with the same message id are the same publication. Who doesn't get it is no part of it: a client
 * that sends one again after a reconnect names its new session.
 */
export function publicationDigest(fields: PublishFields): string {
  const tags = Object.entries(fields.tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([fields.type, fields.key, tags, fields.removed === true, fields.payload.format]))
    .update(fields.payload.bytes)
    .digest('base64');
}
