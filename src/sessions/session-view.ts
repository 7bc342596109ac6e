import type { Feed, View } from '../fanout/view.ts';
import type { Position } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import type { Payer } from '../topics/payer.ts';
import { PatternBacklog } from './pattern-backlog.ts';
import { noBacklogs, snapshotBacklog, type TopicBacklog } from './topic-backlog.ts';

/** One subscription of one session. */
export class SessionView {
  readonly view: View;
  /** As the client named it. */
  readonly target: string;
  /** The topic whose presence this is about: its frames are Joined and Left. */
  readonly watches: string | undefined;
  /** Made by the gateway itself: `$all`, the user's own topic. */
  readonly automatic: boolean;
  /** Who pays for its place; absent: the gateway. Stays, though the session's identity changes. */
  readonly payer: Payer | undefined;
  /** `live`: the view's frames come by themselves. `behind`: by catch-up only. */
  status: 'behind' | 'live' = 'behind';
  /** Of an exact topic, while behind: how far it is. */
  backlogs: readonly TopicBacklog[] = noBacklogs;
  /** Of a pattern, while behind: what it lacks of its topics. */
  backlog: PatternBacklog | undefined;
  /** Its client is to be given a cursor when it goes live. */
  owesCursor = false;
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

  constructor(view: View, target: string, automatic: boolean, watches?: string, payer?: Payer) {
    this.payer = payer;
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
   * Will have to be caught up from these positions; topics that aren't named from what the view was sent. Call it before
   * leaving the view: where no member is left, its feeds skip what they have not sent.
   */
  fallBehind(lost: ReadonlyMap<Feed, Position>, broker: Broker): void {
    this.lagged = true;
    const { isPattern, feeds, waiting } = this.view;
    const backlogOf = (feed: Feed): TopicBacklog => {
      const { epoch, offset } = lost.get(feed) ?? { epoch: feed.epoch, offset: feed.position };
      if (!isPattern || epoch !== '') return { feed, epoch, position: offset, snapshot: undefined };
      // Its first batch would have introduced the topic.
      if (feed.topic.state !== undefined) return snapshotBacklog(feed);
      return { feed, epoch: feed.topic.epoch, position: offset, snapshot: undefined };
    };
    if (!isPattern) {
      this.backlogs = [...feeds.values()].map(backlogOf);
      return;
    }
    const behind = new Set(waiting.keys());
    for (const feed of lost.keys()) if (feed.view === this.view) behind.add(feed);
    this.backlog = new PatternBacklog(
      broker,
      this.view,
      [...behind].map((feed) => ({ backlog: backlogOf(feed) })),
    );
  }
}
