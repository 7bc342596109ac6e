import type { Metrics } from '../metrics.ts';
import type { Broker } from '../topics/broker.ts';
import type { Topic } from '../topics/topic.ts';
import type { Outlets } from './outlets.ts';
import { SnapshotPages } from './snapshot-pages.ts';
import type { Turns } from './turns.ts';
import type { Feed, View } from './view.ts';

/** Topics that are refreshed together: mostly those of a namespace. */
export interface RefreshPlan {
  readonly everyMs: number;
  /** Topics without a change since the last round are left out. */
  readonly onlyChanged: boolean;
  includes(topic: Topic): boolean;
}

/** The time of a turn that is shared with other work. */
export interface WorkBudget {
  readonly isFree: boolean;
  charge(ms: number): void;
}

export interface RefreshOptions {
  readonly plans: readonly RefreshPlan[];
  /** A page of a snapshot ends with the value that makes it this large, encoded. */
  readonly pageBytes: number;
  readonly budget: WorkBudget;
}

export interface RefresherOptions extends RefreshOptions {
  readonly broker: Pick<Broker, 'topics' | 'commits' | 'nowMs'>;
  readonly outlets: Outlets;
  readonly turns: Pick<Turns, 'nowMs' | 'after'>;
  readonly metrics: Pick<Metrics, 'refreshesTotal'>;
  /** The views with members that hear this topic. */
  readonly viewsOf: (topic: Topic) => Iterable<View>;
  /** Sends what waits for a flush. False: the sinks take no more in this turn. */
  readonly flush: (feed: Feed) => boolean;
  /** Asks for a turn. */
  readonly wake: () => void;
}

/** Most of the frames that a sink takes in a turn are left to changes. */
const framesMaxPerTurn = 8;
/** A snapshot that members come in the middle of is begun this often; then this round leaves it out. */
const triesMax = 3;
/** Looking for topics yields to the next turn after this many that are not to be refreshed. */
const topicsMaxPerTurn = 2000;

interface Target {
  readonly view: View;
  readonly topic: Topic;
  /** How often it was begun. */
  readonly tries: number;
}

interface Round {
  readonly plan: RefreshPlan;
  /** The number of changes at the broker when the round before began. */
  readonly since: number;
  readonly topics: Iterator<Topic>;
}

/**
 * Sends the snapshots of state topics again, round by round: every `everyMs` each topic of a plan, to each of its
 * views, one after the other. Each turn sends one page at least, and more while the turn has time and frames left, so
 * that thousands of topics take as many turns as they need. A round that is due before the last one of its plan is over
 * is left out. Without members nothing is scheduled.
 *
 * A snapshot may take several turns. Until its last page is sent the topic's batches to the view wait (`holds`), as the
 * last page replaces what was sent before it. What waited for a flush before the first page goes out first: a client
 * that compares no offsets would get it again after the snapshot.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  /** The broker's newest change when the last round began, or when the first listener came. */
  readonly #since = new Map<RefreshPlan, number>();
  readonly #armed = new Set<RefreshPlan>();
  readonly #rounds: Round[] = [];
  /** What is to be sent of the topic that a round is at. */
  #targets: Target[] = [];
  #current: (Target & { readonly pages: SnapshotPages }) | undefined;
  #members = 0;

  constructor(options: RefresherOptions) {
    this.#options = options;
  }

  get isBusy(): boolean {
    return this.#current !== undefined || this.#targets.length > 0 || this.#rounds.length > 0;
  }

  /** Batches of this topic to this view have to wait. */
  holds(view: View, topic: Topic): boolean {
    const current = this.#current;
    return current?.view === view && current.topic === topic && current.pages.hasBegun;
  }

  joined(view: View): void {
    this.#members++;
    if (this.#members === 1) this.#listenersCame();
    // A member that lacks an earlier page must not take the rest for a whole snapshot.
    if (this.#current?.view === view && this.#current.pages.hasBegun) this.#startAgain(this.#current);
  }

  left(view: View): void {
    this.#members--;
    if (this.#current?.view === view && view.members === 0) this.#current = undefined;
  }

  /** The topic began anew, or is gone: what was to be sent of it is no longer true. */
  dropped(topic: Topic): void {
    if (this.#current?.topic === topic) this.#current = undefined;
    if (this.#targets.length > 0) this.#targets = this.#targets.filter((target) => target.topic !== topic);
  }

  /** Call it once a turn, before anything else is published. */
  turn(): void {
    const { budget, turns } = this.#options;
    for (let frames = 0; this.isBusy && frames < framesMaxPerTurn; ) {
      const startMs = turns.nowMs();
      const pageFrames = this.#step();
      budget.charge(turns.nowMs() - startMs);
      frames += pageFrames;
      // A connection is given one page of a topic in a turn: it drains before the next.
      if (pageFrames === 0 || this.#current !== undefined || !budget.isFree) return;
    }
  }

  /** Publishes a page. Returns how many frames that were; 0: there is nothing to do in this turn any more. */
  #step(): number {
    const { outlets, metrics } = this.#options;
    if (this.#current === undefined) this.#next();
    if (this.#current === undefined) return 0;
    const { view, pages } = this.#current;
    const frames = pages.nextFrames;
    if (outlets.budgetOf(view) < frames) {
      // Its values are those of this turn.
      if (!pages.hasBegun) this.#postpone(this.#current);
      return 0;
    }
    if (!pages.hasBegun) metrics.refreshesTotal.inc();
    if (pages.publishNext(outlets)) this.#current = undefined;
    return frames;
  }

  /** Finds what is to be sent next, among as many topics as a turn has time for. */
  #next(): void {
    const { broker, pageBytes } = this.#options;
    for (let count = 0; count < topicsMaxPerTurn; count++) {
      const target = this.#targets.shift();
      if (target !== undefined && isReady(target)) {
        if (!this.#isFlushed(target)) {
          this.#postpone(target);
          return;
        }
        const pages = new SnapshotPages(target.view, target.topic, broker.nowMs(), pageBytes);
        this.#current = { ...target, pages };
        return;
      }
      if (target === undefined && !this.#nextTopic()) return;
    }
  }

  #isFlushed({ view, topic }: Target): boolean {
    const feed = view.feedOf(topic);
    if (feed === undefined || view.options.codec.comparesOffsets === true) return true;
    return this.#options.flush(feed);
  }

  /** To the next turn. */
  #postpone({ view, topic, tries }: Target): void {
    this.#current = undefined;
    this.#targets.unshift({ view, topic, tries });
  }

  /** False: all rounds are over. */
  #nextTopic(): boolean {
    const [round] = this.#rounds;
    if (round === undefined) return false;
    const { done, value: topic } = round.topics.next();
    if (done === true) this.#rounds.shift();
    else if (isDue(topic, round)) {
      for (const view of this.#options.viewsOf(topic)) this.#targets.push({ view, topic, tries: 1 });
    }
    return true;
  }

  #startAgain({ view, topic, tries }: Target): void {
    this.#current = undefined;
    if (tries < triesMax) this.#targets.push({ view, topic, tries: tries + 1 });
  }

  /** The first members came, with the current values: the first round is about later changes. */
  #listenersCame(): void {
    for (const plan of this.#options.plans) {
      this.#since.set(plan, this.#options.broker.commits.changes);
      this.#arm(plan);
    }
  }

  #arm(plan: RefreshPlan): void {
    if (this.#armed.has(plan)) return;
    this.#armed.add(plan);
    this.#options.turns.after(plan.everyMs, () => {
      this.#armed.delete(plan);
      if (this.#members === 0) return;
      this.#begin(plan);
      this.#arm(plan);
    });
  }

  #begin(plan: RefreshPlan): void {
    const { broker, wake } = this.#options;
    const since = this.#since.get(plan) ?? 0;
    if (this.#rounds.some((round) => round.plan === plan)) return;
    if (plan.onlyChanged && since === broker.commits.changes) return;
    this.#since.set(plan, broker.commits.changes);
    this.#rounds.push({ plan, since, topics: broker.topics()[Symbol.iterator]() });
    wake();
  }
}

/** The members are still to be told of a new numbering: the next round will do. */
function isReady({ view, topic }: Target): boolean {
  const feed = view.feedOf(topic);
  return view.members > 0 && (feed === undefined || feed.epoch === topic.epoch);
}

function isDue(topic: Topic, { plan, since }: Round): boolean {
  if (topic.state === undefined || (plan.onlyChanged && topic.changedAt <= since)) return false;
  return plan.includes(topic);
}
