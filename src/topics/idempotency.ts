import { createHash } from 'node:crypto';
import type { PublishFields } from '../protocol/frames.ts';

export const messageIdWindowMs = 5 * 60_000;
export const messageIdsPerTopic = 10_000;

interface Seen {
  readonly offset: number;
  readonly digest: string;
  readonly atMs: number;
}

/** The message ids that one topic remembers, oldest first: for 5 minutes, at most the last 10 000. */
export class MessageIds {
  readonly #seen = new Map<string, Seen>();

  get size(): number {
    return this.#seen.size;
  }

  /** Of the oldest that is remembered. */
  get oldestOffset(): number | undefined {
    for (const { offset } of this.#seen.values()) return offset;
    return undefined;
  }

  get(messageId: string, nowMs: number): Seen | undefined {
    const seen = this.#seen.get(messageId);
    return seen !== undefined && nowMs - seen.atMs < messageIdWindowMs ? seen : undefined;
  }

  add(messageId: string, seen: Seen): void {
    this.#seen.delete(messageId);
    this.prune(seen.atMs);
    if (this.#seen.size >= messageIdsPerTopic) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.set(messageId, seen);
  }

  /** Lets go of what is older than the window; answers how many live. */
  prune(nowMs: number): number {
    for (const [messageId, seen] of this.#seen) {
      if (nowMs - seen.atMs < messageIdWindowMs) break;
      this.#seen.delete(messageId);
    }
    return this.#seen.size;
  }
}

/** Tells whether two publishes with the same message id are the same publication. */
export function publicationDigest(fields: PublishFields): string {
  const tags = Object.entries(fields.tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(
      JSON.stringify([
        fields.type,
        fields.key,
        tags,
        fields.except,
        fields.removed === true,
        fields.payload.format,
      ]),
    )
    .update(fields.payload.bytes)
    .digest('base64');
}
