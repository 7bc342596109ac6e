import type { Lag } from '../../catch-up/lag.ts';
import { coveredUpto } from '../../catch-up/reach.ts';
import type { OutFrame } from '../../fanout/sink.ts';
import type { View } from '../../fanout/view.ts';
import { groupBy } from '../../group-by.ts';
import type { Commits } from '../../topics/commits.ts';
import {
  exceptionKey,
  exceptionsMax,
  exceptionText,
  lowestOf,
  type Progress,
  progressText,
  streamText,
} from '../../topics/cursor.ts';
import type { Session } from '../session.ts';
import type { AheadAt } from './ahead-views.ts';
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
  /** No topic of the view has an earlier position. */
  readonly lowest: Progress | undefined;
  /** They say how far each topic is. */
  readonly isExact: boolean;
}

/** A cursor without its end, and what a client gets that continues with it elsewhere. */
interface Start {
  readonly start: string;
  /** It gets only what it has not had. Otherwise it gets some again, or all values of a topic from the first. */
  readonly isExact: boolean;
}

/** What the cursors of a stream end with. */
export function cursorEnd({ session, subscriptions }: CursorHolder): string {
  return streamText({ session: session.id, subscriptions });
}

const noTopics: ReadonlyMap<string, Progress> = new Map();
const none: Exceptions = { text: '', count: 0, lowest: undefined, isExact: true };

/**
 * The cursors of streams: one position for all topics of a client. Exceptions name what a view has still to send, and
 * what a session is still being caught up with. Where they don't fit into a cursor, it names the earliest of their
 * positions for all of them: the client gets some publications again, and loses none.
 */
export class StreamCursors {
  readonly #commits: Pick<Commits, 'epoch' | 'seq'>;
  /** The frame that is being published: its feed counts it only afterwards. */
  #frame: OutFrame | undefined;
  /** The exceptions of live views, while one frame is published. */
  readonly #live = new Map<View, Exceptions>();
  /** The cursor of all that lack nothing, without the stream. */
  #newest = { epoch: '', seq: -1, text: '' };

  constructor(commits: Pick<Commits, 'epoch' | 'seq'>) {
    this.#commits = commits;
  }

  /** Runs `write`, which hands the frame to members of its view. Their cursors count it as received. */
  publishing(frame: OutFrame, write: () => void): void {
    this.#frame = frame;
    this.#live.clear();
    write();
    this.#frame = undefined;
    this.#live.clear();
  }

  /**
   * The cursor of a client that has received everything that was sent so far, without `cursorEnd`, its end, which never
   * changes. All that lack nothing have the same text. Undefined while messages wait that are counted as sent.
   */
  startOf(holder: CursorHolder): string | undefined {
    return this.#lacksNothing(holder) ? this.#newestText() : this.#positionOf(holder)?.start;
  }

  /**
   * The client lacks nothing, as is true of most whenever a frame is sent. It has had at least what the members of its
   * views were sent.
   */
  #lacksNothing({ session: { outbox, views } }: CursorHolder): boolean {
    if (outbox.isWaiting || views.isCatchingUp) return false;
    for (const { view, watches, target } of views.values())
      if (watches === undefined && this.#liveOf(view, target) !== none) return false;
    return true;
  }

  /** See `Start`. */
  isExact(holder: CursorHolder): boolean | undefined {
    return this.#positionOf(holder)?.isExact;
  }

  #positionOf({ session }: CursorHolder): Start | undefined {
    if (session.outbox.isWaiting) return undefined;
    const merged = new CursorExceptions();
    for (const sessionView of session.views.values()) {
      const exceptions = this.#exceptionsOf(session, sessionView);
      if (exceptions.lowest === undefined) continue;
      if (sharesTarget(session, sessionView)) return this.#ofSharedTargets(session);
      merged.add(sessionView.target, exceptions);
    }
    return this.#startAt(merged);
  }

  /**
   * The same for a session with several subscriptions to one target, which may be at different positions. Each of them
   * is an exception by the key of its options; the target itself is one at the earliest, for a client that continues
   * with other options.
   */
  #ofSharedTargets(session: Session): Start {
    const delivered = [...session.views.values()].filter(({ watches }) => watches === undefined);
    const byTarget = groupBy(delivered, ({ target }) => target);
    const merged = new CursorExceptions();
    for (const [target, views] of byTarget) {
      const isShared = views.length > 1;
      const all = views.map((each) =>
        this.#exceptionsOf(session, each, isShared ? each.view.deliveryKey : target),
      );
      const positions = all.flatMap(({ lowest }) => lowest ?? []);
      if (positions.length === 0) continue;
      const lowest = lowestOf(positions);
      const named = isShared ? this.#named(target, views, all, lowest) : (all[0] as Exceptions);
      merged.add(target, { ...named, lowest, isExact: all.every(({ isExact }) => isExact) });
    }
    return this.#startAt(merged);
  }

  #named(
    target: string,
    views: readonly SessionView[],
    all: readonly Exceptions[],
    lowest: Progress,
  ): Pick<Exceptions, 'text' | 'count'> {
    let text = exceptionText(exceptionKey(target), lowest);
    let count = 1;
    for (const [i, { view }] of views.entries()) {
      const each = all[i] as Exceptions;
      const isNamed = each.lowest !== undefined;
      const newest = { seq: this.#commits.seq, lacksValues: false };
      text += isNamed ? each.text : exceptionText(exceptionKey(view.deliveryKey), newest);
      count += isNamed ? each.count : 1;
    }
    return { text, count };
  }

  #startAt(exceptions: CursorExceptions): Start {
    const isExact = exceptions.isExact && exceptions.count <= exceptionsMax;
    return { start: this.#text(exceptions), isExact };
  }

  #newestText(): string {
    const { epoch, seq } = this.#commits;
    if (this.#newest.seq !== seq || this.#newest.epoch !== epoch)
      this.#newest = { epoch, seq, text: `${epoch}.${seq.toString(36)}` };
    return this.#newest.text;
  }

  #text({ text, count, collapsed }: CursorExceptions): string {
    if (count <= exceptionsMax) return this.#newestText() + text;
    if (collapsed.length > exceptionsMax)
      return `${this.#commits.epoch}.${progressText(lowestOf(collapsed.map(([, progress]) => progress)))}`;
    const each = collapsed.map(([target, progress]) => exceptionText(exceptionKey(target), progress));
    return this.#newestText() + each.join('');
  }

  /** `base`: the keys are made of it: the target of the view, or the key of its options where the target is shared. */
  #exceptionsOf(session: Session, sessionView: SessionView, base = sessionView.target): Exceptions {
    const { view, watches, target } = sessionView;
    // Presence has no offsets.
    if (watches !== undefined) return none;
    if (!sessionView.isLive) return this.#ofLag(base, base !== target, sessionView.backlog?.lag);
    const ahead = session.views.aheadAt(view);
    if (this.#frame === undefined || base !== target || ahead !== undefined)
      return this.#ofLive(view, base, ahead);
    return this.#liveOf(view, base);
  }

  /** The exceptions of a live view whose members have all had the same. */
  #liveOf(view: View, target: string): Exceptions {
    if (this.#frame === undefined) return this.#ofLive(view, target);
    let exceptions = this.#live.get(view);
    if (exceptions === undefined) {
      exceptions = this.#ofLive(view, target);
      this.#live.set(view, exceptions);
    }
    return exceptions;
  }

  /** What the view has not sent to its members yet. `ahead`: of a member that has had everything up to there. */
  #ofLive(view: View, base: string, ahead?: AheadAt): Exceptions {
    const frame = this.#frame;
    const now = this.#commits.seq;
    const isNamed = base !== view.options.target;
    const topics = new Map<string, Progress>();
    for (const feed of view.unsent?.feeds ?? view.feeds) {
      const sent = frame?.feed === feed ? frame.upto : feed.examined;
      const covered = ahead === undefined ? 0 : (coveredUpto(feed, ahead.seq) ?? 0);
      const upto = Math.max(sent, covered);
      const knowsNumbering = ahead !== undefined && feed.topic.resetAt <= ahead.changes;
      const lacking = knowsNumbering ? feed.seqAfter(upto) : feed.lackingAfter(upto);
      if (lacking === undefined) continue;
      const lag = { seq: lacking - 1, lacksValues: false };
      if (view.unsent === undefined) return this.#ofLag(base, isNamed, lag);
      topics.set(feed.topic.name, lag);
      if (topics.size > exceptionsMax)
        return this.#ofLag(base, isNamed, {
          seq: Math.max(view.unsent.sentSeq(now), ahead?.seq ?? 0),
          lacksValues: false,
        });
    }
    return topics.size === 0 ? none : this.#ofLag(base, isNamed, { seq: now, lacksValues: false, topics });
  }

  /** `isNamed`: it has an exception of its own, also where only some of its topics are elsewhere. */
  #ofLag(base: string, isNamed: boolean, lag: Lag | undefined): Exceptions {
    if (lag === undefined) return none;
    const topics = lag.topics ?? noTopics;
    const lacksNothing = lag.seq === this.#commits.seq && !lag.lacksValues;
    if (lacksNothing && topics.size === 0) return none;
    const isAlone = lacksNothing && !isNamed;
    let text = isAlone ? '' : exceptionText(exceptionKey(base), lag);
    for (const [topic, progress] of topics) text += exceptionText(exceptionKey(base, topic), progress);
    const lowest = topics.size === 0 ? lag : lowestOf([lag, ...topics.values()]);
    return {
      text,
      lowest,
      count: (isAlone ? 0 : 1) + topics.size,
      isExact: !lowest.lacksValues && lag.isRounded !== true,
    };
  }
}

/** The exceptions of a session. */
class CursorExceptions {
  text = '';
  count = 0;
  isExact = true;
  /** By target, the earliest position. */
  readonly collapsed: [target: string, lowest: Progress][] = [];

  add(target: string, { text, count, lowest, isExact }: Exceptions): void {
    this.text += text;
    this.count += count;
    if (!isExact) this.isExact = false;
    if (lowest !== undefined) this.collapsed.push([target, lowest]);
  }
}

function sharesTarget({ views }: Session, { target, view }: SessionView): boolean {
  for (const other of views.values())
    if (other.target === target && other.view !== view && other.watches === undefined) return true;
  return false;
}
