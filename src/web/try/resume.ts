import type { Position } from '../../protocol/frames.ts';
import { Coverage } from './coverage.ts';
import type { Frame } from './wire.ts';

/** Where a subscription by WebSocket continues: a topic by position, a pattern by cursor. */
export class Resume {
  readonly #topic: string;
  readonly #coverage = new Coverage();
  #cursor: string | undefined;

  constructor(topic: string) {
    this.#topic = topic;
  }

  take(frame: Frame): void {
    this.#coverage.take(frame);
    const results = frame.type === 'subscribed' ? (frame['results'] as readonly Frame[]) : [];
    for (const each of [frame, ...results]) {
      if (typeof each['cursor'] === 'string' && each['topic'] !== '$all') this.#cursor = each['cursor'];
    }
  }

  /** The start of the next subscribe; empty for the first. */
  get options(): { readonly since?: Position; readonly cursor?: string } {
    if (this.#topic.endsWith('*')) return this.#cursor === undefined ? {} : { cursor: this.#cursor };
    const since = this.#coverage.positionOf(this.#topic);
    return since === undefined ? {} : { since };
  }
}
