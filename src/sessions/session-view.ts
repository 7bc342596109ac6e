import type { Feed, View } from '../fanout/view.ts';
import type { Leg } from './leg.ts';

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
  legs: Leg[] = [];
  /** It was live once, lagged, and is to be told when it is live again. */
  lagged = false;
  /** What tells this subscriber who joins and leaves; ends with it. */
  watch: SessionView | undefined;
  /** What `view.frames` was when it went live. */
  framesBefore = 0;

  constructor(view: View, target: string, automatic: boolean, watches?: string) {
    this.watches = watches;
    this.view = view;
    this.target = target;
    this.automatic = automatic;
  }

  /** A pattern's topics that were born since the legs were set up; answers whether there were any. */
  addBornTopics(): boolean {
    if (this.legs.length === this.view.feeds.size) return false;
    const known = new Set(this.legs.map(({ feed }) => feed));
    for (const feed of this.view.feeds.values()) {
      if (!known.has(feed)) this.legs.push({ feed, epoch: '', position: 0, snapshot: undefined });
    }
    // Those that were removed meanwhile have nothing left to send.
    this.legs = this.legs.filter(({ feed }) => this.view.feeds.has(feed.topic));
    return true;
  }

  /** Leaves the live stream behind these positions; topics that aren't named behind what the view was sent. */
  fallBehind(lost: ReadonlyMap<Feed, number>): void {
    this.status = 'behind';
    this.lagged = true;
    this.legs = [...this.view.feeds.values()].map((feed) => ({
      feed,
      epoch: feed.epoch,
      position: lost.get(feed) ?? feed.position,
      snapshot: undefined,
    }));
  }
}
