import type { PatternProgress } from '../../catch-up/continue-pattern.ts';
import type { Lag } from '../../catch-up/lag.ts';
import { PatternBacklog } from '../../catch-up/pattern-backlog.ts';
import { coveredUpto } from '../../catch-up/reach.ts';
import type { Feed } from '../../fanout/view.ts';
import type { Position } from '../../protocol/frames.ts';
import { lowestOf, type Progress } from '../../topics/cursor.ts';
import { reaches } from '../../topics/topic-name.ts';
import type { SessionView } from './session-view.ts';

interface EndedSubscription {
  readonly target: string;
  /** Undefined: it had everything. */
  readonly lag: Lag | undefined;
  /** Undefined: it is a pattern. */
  readonly sentUpto: Position | undefined;
}

/** How far a session was in the subscriptions that those of one command replace. */
export class FormerSubscriptions {
  readonly #ended: EndedSubscription[] = [];

  /** Call it before the subscription ends, while it is held. */
  add({ target, backlog, sentUpto }: SessionView): void {
    const lag = backlog instanceof PatternBacklog ? backlog.exactLag : backlog?.lag;
    this.#ended.push({ target, lag, sentUpto });
  }

  /** Up to where it was sent this topic; undefined: it was not subscribed to it. */
  positionIn(feed: Feed): Position | undefined {
    const { name, epoch, startOffset, ring } = feed.topic;
    const ended = this.#ended.find(({ target }) => reaches(target, name));
    if (ended === undefined || ended.sentUpto !== undefined) return ended?.sentUpto;
    const progress = ended.lag?.topics?.get(name) ?? ended.lag;
    const offset = progress === undefined ? ring.newest : (coveredUpto(feed, progress.seq) ?? startOffset);
    return { epoch, offset };
  }

  /** How far it was in the topics of this pattern; undefined: it lacks nothing of what it was subscribed to. */
  progressIn(pattern: string, newestSeq: number): PatternProgress | undefined {
    const topics = new Map<string, Progress>();
    let base: Progress = { seq: newestSeq, lacksValues: false };
    for (const { target, lag } of this.#ended) {
      if (lag === undefined || !reaches(pattern, target)) continue;
      if (target === pattern) base = lag;
      else topics.set(target, lag);
      for (const [name, progress] of lag.topics ?? []) topics.set(name, progress);
    }
    if (base.seq >= newestSeq && topics.size === 0) return undefined;
    return {
      base,
      of: (topic) => topics.get(topic) ?? base,
      lowest: lowestOf([base, ...topics.values()]),
      hasExceptions: topics.size > 0,
    };
  }
}
