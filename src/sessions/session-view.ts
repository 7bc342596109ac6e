import type { Feed, View } from '../fanout/view.ts';
import type { Position } from '../protocol/frames.ts';
import { isLevel, type Leg, noLegs } from './leg.ts';

/** One subscription of one session. */
export class SessionView {
  readonly view: View;
  /** As the client named it. */
  readonly target: string;
  /** The topic whose presence this is about: its frames are Joined and Left. */
  readonly watches: string | undefined;
  /** Made by the gateway itself: `$all`, the user's own topic. */
  readonly automatic: boolean;
  /** `live`: the view's frames come by themselves. `behind`: by catch-up only. */
  status: 'behind' | 'live' = 'behind';
  /** While behind: how far it is with each topic. */
  legs: readonly Leg[] = noLegs;
  /** It was live once, lagged, and is to be told when it is live again. */
  lagged = false;
  /** What tells this subscriber who joins and leaves; ends with it. */
  watch: SessionView | undefined;
  /** Of a watch: how many subscriptions of the session it serves. */
  watchers = 1;
  /** What `view.frames` was when it went live. */
  framesBefore = 0;
  /** The dictionary that it was sent when it went live last. A later one may be among the frames that it lost. */
  #dictionary = 0;

  constructor(view: View, target: string, automatic: boolean, watches?: string) {
    this.watches = watches;
    this.view = view;
    this.target = target;
    this.automatic = automatic;
  }

  /** What it has to be sent before it goes live: the view's dictionary, unless it is sure to have that one. */
  missingDictionary(): Uint8Array | undefined {
    const current = this.view.dictionary;
    if (current === undefined || current.dictionary === this.#dictionary) return undefined;
    this.#dictionary = current.dictionary;
    return current.announcement;
  }

  /**
   * Adds the pattern's topics that were born since, and lets go of those that were removed once nothing of them is
   * missing, or was named as such. Answers whether there was anything to do.
   */
  updateLegs(): boolean {
    const { feeds } = this.view;
    if (this.legs.length === feeds.size && this.legs.every(({ feed }) => feeds.get(feed.topic) === feed))
      return false;
    const before = this.legs;
    const kept = before.filter((leg) => feeds.get(leg.feed.topic) === leg.feed || !isLevel(leg));
    const known = new Set(kept.map(({ feed }) => feed));
    const born = [...feeds.values()].filter((feed) => !known.has(feed));
    this.legs = [...kept, ...born.map((feed) => ({ feed, epoch: '', position: 0, snapshot: undefined }))];
    return born.length > 0 || kept.length < before.length;
  }

  /**
   * Will have to be caught up from these positions; topics that aren't named from what the view was sent. Call it before
   * leaving the view: where nobody is left, its feeds skip what they have not sent.
   */
  fallBehind(lost: ReadonlyMap<Feed, Position>): void {
    this.lagged = true;
    this.legs = [...this.view.feeds.values()].map((feed) => {
      const { epoch, offset } = lost.get(feed) ?? { epoch: feed.epoch, offset: feed.position };
      return { feed, epoch, position: offset, snapshot: undefined };
    });
  }
}
