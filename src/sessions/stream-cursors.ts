import type { Lag } from '../catch-up/lag.ts';
import type { OutFrame } from '../fanout/sink.ts';
import type { View } from '../fanout/view.ts';
import type { Broker } from '../topics/broker.ts';
import {
  exceptionKey,
  exceptionsMax,
  exceptionText,
  type Had,
  hadText,
  lowestOf,
  streamText,
} from '../topics/cursor.ts';
import type { Session } from './session.ts';
import type { SessionView } from './session-view.ts';

/** A session whose client resumes by one cursor for all its topics. */
export interface CursorHolder {
  readonly session: Session;
  /** `subscriptionsKey` of what it is subscribed to. */
  readonly subscriptions: string;
}

/** The exceptions of one view, as text. */
interface Exceptions {
  readonly text: string;
  readonly count: number;
  /** No topic of the view is behind this. */
  readonly lowest: Had | undefined;
}

const noTopics: ReadonlyMap<string, Had> = new Map();
const none: Exceptions = { text: '', count: 0, lowest: undefined };

/**
 * The cursors of streams: how far the client of one is in all its topics together. What a view has still to send, and
 * what a session is still being caught up with, are exceptions. Where they don't fit into a cursor, it names the
 * earliest of their positions for all of them: then the client gets publications again that it has had, and loses none.
 */
export class StreamCursors {
  readonly #broker: Pick<Broker, 'commits' | 'seq'>;
  /** The frame that is being published. Its feed is told of it only afterwards. */
  #frame: OutFrame | undefined;
  /** Of live views, while one frame is published. */
  readonly #live = new Map<View, Exceptions>();

  constructor(broker: Pick<Broker, 'commits' | 'seq'>) {
    this.#broker = broker;
  }

  /** Runs `write`, which hands the frame to members of its view: their cursors count it as received. */
  publishing(frame: OutFrame, write: () => void): void {
    this.#frame = frame;
    this.#live.clear();
    write();
    this.#frame = undefined;
    this.#live.clear();
  }

  /**
   * The cursor of a client that has received everything that was sent so far. Undefined while messages wait that are
   * counted as sent.
   */
  of({ session, subscriptions }: CursorHolder): string | undefined {
    if (session.hasWaitingMessages) return undefined;
    const { commits, seq } = this.#broker;
    let text = '';
    let count = 0;
    let collapsed: [key: string, lowest: Had][] | undefined;
    for (const sessionView of session.views.values()) {
      const exceptions = this.#exceptionsOf(sessionView);
      if (exceptions.lowest === undefined) continue;
      text += exceptions.text;
      count += exceptions.count;
      collapsed ??= [];
      collapsed.push([exceptionKey(sessionView.target), exceptions.lowest]);
    }
    const end = streamText({ session: session.id, subscriptions });
    if (collapsed === undefined || count <= exceptionsMax) {
      return `${commits.epoch}.${seq.toString(36)}${text}${end}`;
    }
    if (collapsed.length <= exceptionsMax) {
      const each = collapsed.map(([key, had]) => exceptionText(key, had)).join('');
      return `${commits.epoch}.${seq.toString(36)}${each}${end}`;
    }
    return `${commits.epoch}.${hadText(lowestOf(collapsed.map(([, had]) => had)))}${end}`;
  }

  #exceptionsOf(sessionView: SessionView): Exceptions {
    const { view, watches } = sessionView;
    // Who joins and leaves has no offsets.
    if (watches !== undefined) return none;
    if (!sessionView.isLive) return this.#ofLag(sessionView.target, sessionView.backlog?.lag);
    if (this.#frame === undefined) return this.#ofLive(view);
    let known = this.#live.get(view);
    if (known === undefined) {
      known = this.#ofLive(view);
      this.#live.set(view, known);
    }
    return known;
  }

  /** What the view has not sent to its members yet. */
  #ofLive(view: View): Exceptions {
    const { target } = view.options;
    const frame = this.#frame;
    const now = this.#broker.seq;
    const topics = new Map<string, Had>();
    for (const feed of view.isPattern ? view.waiting.keys() : view.feeds.values()) {
      const lacking = feed.lackingAfter(frame?.feed === feed ? frame.upto : feed.examined);
      if (lacking === undefined) continue;
      const had = { seq: lacking - 1, lacksValues: false };
      if (!view.isPattern) return this.#ofLag(target, had);
      topics.set(feed.topic.name, had);
      if (topics.size > exceptionsMax)
        return this.#ofLag(target, { seq: view.sentSeq(now), lacksValues: false });
    }
    return topics.size === 0 ? none : this.#ofLag(target, { seq: now, lacksValues: false, topics });
  }

  #ofLag(target: string, lag: Lag | undefined): Exceptions {
    if (lag === undefined) return none;
    const topics = lag.topics ?? noTopics;
    const isLevel = lag.seq === this.#broker.seq && !lag.lacksValues;
    if (isLevel && topics.size === 0) return none;
    let text = isLevel ? '' : exceptionText(exceptionKey(target), lag);
    for (const [topic, had] of topics) text += exceptionText(exceptionKey(target, topic), had);
    return {
      text,
      count: (isLevel ? 0 : 1) + topics.size,
      lowest: topics.size === 0 ? lag : lowestOf([lag, ...topics.values()]),
    };
  }
}
