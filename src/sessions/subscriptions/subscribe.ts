import type { Authorize } from '../../auth/authorize.ts';
import type { Identity } from '../../auth/identity.ts';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { topicsListedMax } from '../../catch-up/start-pattern.ts';
import { TopicBacklog } from '../../catch-up/topic-backlog.ts';
import { SluiceError, throwIf } from '../../errors.ts';
import type { Fanout } from '../../fanout/fanout.ts';
import { isSameDelivery, type ViewOptions, viewKeys } from '../../fanout/view-options.ts';
import type { Metrics } from '../../metrics.ts';
import type { Filter, Granted, Position, SubscribeResult, Subscription } from '../../protocol/frames.ts';
import { snapInterval } from '../../protocol/selection-key.ts';
import { compileFilter, filterProblem } from '../../topics/filter.ts';
import { isPattern } from '../../topics/topic-name.ts';
import { type Application, both, readingOf, type SubscribeGrant } from '../application.ts';
import { targetProblem } from '../commands/target.ts';
import { type Failure, settled, type Task } from '../commands/task.ts';
import { wireError } from '../commands/wire-error.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Session } from '../session.ts';
import type { Inbox } from '../users/inbox.ts';
import type { Presence } from '../users/presence.ts';
import { FormerSubscriptions } from './former-subscriptions.ts';
import { isFull } from './places.ts';
import { type Findings, noFindings, Preparation } from './preparation.ts';
import { continuedAfter, equalTo, holdReplaced, replacedBy } from './replacing.ts';
import { SessionView } from './session-view.ts';
import { subscribeEach } from './subscribe-each.ts';
import { type StarterOptions, SubscriptionStarter } from './subscription-starter.ts';
import { isOfUser, TopicPermits, type TopicTokens } from './topic-permits.ts';

/** What the subscriptions of one command share. */
export class SubscribeCommand {
  readonly prepared: Findings;
  #topics = topicsListedMax;
  readonly former = new FormerSubscriptions();

  constructor(prepared: Findings = noFindings) {
    this.prepared = prepared;
  }

  /** The number of topics that its patterns may still list in its reply. */
  get topics(): number {
    return this.#topics;
  }

  listed(topics: number): void {
    this.#topics = Math.max(0, this.#topics - topics);
  }
}

export interface SubscriberOptions extends StarterOptions {
  readonly metrics: StarterOptions['metrics'] & Pick<Metrics, 'subscriptionErrorsTotal'>;
  readonly fanout: Fanout;
  readonly authorize: Authorize;
  readonly presence: Presence;
  readonly inbox: Inbox;
  readonly conflates: (target: string) => boolean;
  /** Whether sessions that know shared dictionaries get them. */
  readonly dictionaries: boolean;
  readonly subscriptionsPerSession: number;
  readonly turnBudget: TurnBudget;
  /** Absent: the gateway takes none. */
  readonly topicTokens?: TopicTokens;
  /** As of `PreparationOptions`. */
  readonly application?: Pick<Application, 'subscribe'>;
}

/** Subscribes sessions to views. Of each, everything from reading a ring to joining a view happens in one turn. */
export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #permits: TopicPermits;
  readonly #starts: SubscriptionStarter;
  readonly #preparation: Preparation;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#permits = new TopicPermits(options.topicTokens);
    this.#starts = new SubscriptionStarter(options);
    this.#preparation = new Preparation(options, this.#permits);
  }

  /** See `Preparation`. */
  isLoaded(subscriptions: readonly Subscription[]): boolean {
    return this.#preparation.isDone(subscriptions);
  }

  /** Prepares the subscriptions of a client: see `Preparation`. */
  prepare(session: Session, subscriptions: readonly Subscription[]): Awaitable<Findings> {
    return whenDone(this.#preparation.forClient(session, subscriptions), (prepared) =>
      whenDone(holdReplaced(session, subscriptions, this.#options.fanout), () => prepared),
    );
  }

  /** Ends what topic tokens permit no more. Call it about once a second. */
  sweep(): void {
    this.#permits.sweep();
  }

  /** Loads the topics that the gateway subscribes the session to, and then runs `finish`. */
  afterLoad(
    session: Session,
    subscriptions: readonly Subscription[],
    finish: (loaded: Findings | Failure) => void,
  ): Task<Findings | Failure> {
    return { begin: () => settled(() => this.#preparation.load(session, subscriptions)), finish };
  }

  /**
   * For subscriptions of a client, after `prepare`. Returns a result for each, later if they take more than the time of
   * a turn. The caller sends them, and then calls `SessionViews.resume`. If it throws or rejects, none of these
   * subscriptions exists. `timed`: runs each part of the work, to charge its time.
   */
  subscribe(
    session: Session,
    subscriptions: readonly Subscription[],
    prepared?: Findings,
    timed = (run: () => void) => run(),
  ): Awaitable<readonly SubscribeResult[]> {
    const command = new SubscribeCommand(prepared);
    const one = (subscription: Subscription, index: number) =>
      this.begin(session, subscription, command, prepared?.decisions?.[index]);
    const { turnBudget } = this.#options;
    return subscribeEach(session, subscriptions, one, { turnBudget, timed });
  }

  /** One of them, in one turn. */
  protected begin(
    session: Session,
    subscription: Subscription,
    command: SubscribeCommand,
    decision: SubscribeGrant | SluiceError | undefined,
  ): SubscribeResult {
    return this.#result(session, subscription, false, command, decision);
  }

  /** For a subscription that the gateway makes by itself. It needs no permission. */
  subscribeAutomatically(
    session: Session,
    subscription: Pick<Subscription, 'topic' | 'cursor'>,
    prepared?: Findings,
  ): SubscribeResult {
    return this.#result(session, subscription, true, new SubscribeCommand(prepared));
  }

  /** Gives a subscription other keys, by a new view from where the client is. If refused, the former one stays. */
  setKeys(session: Session, viewId: number, keys: readonly string[]): Awaitable<Granted> {
    return this.#options.fanout.afterDrops(() => this.#setKeys(session, viewId, keys));
  }

  #setKeys(session: Session, viewId: number, keys: readonly string[]): Granted {
    const before = session.views.get(viewId);
    if (before === undefined || before.watches !== undefined) throw new SluiceError('not_subscribed');
    const { target, payer, permit, view: former } = before;
    const formerKeys = former.options.keys;
    if (formerKeys === undefined) throw new SluiceError('invalid_request', 'the subscription has no keys');
    const options = { ...former.options, keys: viewKeys(keys) };
    const at = before.completeUpto;
    const isWatched = before.watch !== undefined;
    if (isSameDelivery(options, former.options)) return this.#changed(before, at);
    if (equalTo(session, options) !== undefined)
      throw new SluiceError('already_subscribed', `already subscribed to these keys of ${target}`);
    // Its own place is free for the new view, if it has it alone.
    const view = this.#options.fanout.attach(options, payer, [before]);
    session.views.remove(before, 'replaced');
    const { feed } = view;
    const nowMs = this.#options.broker.nowMs();
    const backlog = new TopicBacklog(
      feed,
      at?.epoch ?? feed.topic.epoch,
      at?.offset ?? feed.topic.ring.newest,
    );
    const added = new Set([...options.keys.set].filter((key) => !formerKeys.set.has(key)));
    if (at === undefined) backlog.takeSnapshot(nowMs);
    else if (added.size > 0) backlog.takeValuesOf(added, nowMs);
    const { origin } = before;
    const after = new SessionView({ view, origin, payer, permit, backlog });
    session.views.add(after);
    if (permit !== undefined) this.#permits.began({ session, sessionView: after, permit });
    if (isWatched) this.#watchOrUndo(session, after);
    return this.#changed(after, at);
  }

  #changed({ view, target, sentUpto }: SessionView, at: Position | undefined): Granted {
    const { topic } = view.feed;
    const { epoch, offset } = at ?? sentUpto ?? { epoch: topic.epoch, offset: topic.ring.newest };
    return {
      topic: target,
      view: view.id,
      mode: topic.options.mode,
      epoch,
      offset,
      recovered: at === undefined ? undefined : true,
      intervalMs: view.options.intervalMs || undefined,
    };
  }

  /** Ends the subscriptions that the session's new identity forbids, and tells the client. */
  endForbidden(session: Session): void {
    if (session.views.size === 0) return;
    const { authorize } = this.#options;
    const isForbidden = ({ target, watch, permit, origin }: SessionView) =>
      (permit === undefined
        ? origin !== 'granted' && authorize(session.identity, 'subscribe', target) !== undefined
        : !isOfUser(permit, session)) ||
      (watch !== undefined && authorize(session.identity, 'presence', target) !== undefined);
    const ended = [...session.views.values()].filter(
      (sessionView) => sessionView.watches === undefined && isForbidden(sessionView),
    );
    if (ended.length === 0) return;
    for (const sessionView of ended) session.views.remove(sessionView, 'forbidden');
    session.outbox.push({
      kind: 'unsubscribed',
      views: ended.map(({ view }) => view.id),
      reason: 'forbidden',
    });
  }

  #result(
    session: Session,
    subscription: Subscription,
    isAutomatic: boolean,
    command: SubscribeCommand,
    decision?: SubscribeGrant | SluiceError,
  ): SubscribeResult {
    const { problems } = command.prepared;
    try {
      throwIf(problems.get(subscription.topic) ?? problems.get(subscription.token ?? ''));
      if (decision instanceof SluiceError) throw decision;
      return this.#subscribe(session, subscription, isAutomatic, command, decision);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#options.metrics.subscriptionErrorsTotal.inc({ code: error.code });
      return { topic: subscription.topic, error: wireError(error) };
    }
  }

  #subscribe(
    session: Session,
    subscription: Subscription,
    isAutomatic: boolean,
    command: SubscribeCommand,
    decision: SubscribeGrant | undefined,
  ): Granted {
    const { topic: target } = subscription;
    const permit = isAutomatic ? undefined : this.#check(session, subscription, decision);
    const bound = both(decision?.filter, permit?.grant?.filter);
    const options = this.#viewOptions(session, subscription, bound);
    const ended = this.#checkPlace(session, options, subscription);
    for (const each of ended) command.former.add(each);
    const payer = session.payer;
    const view = this.#options.fanout.attach(options, payer, ended);
    const { inbox } = this.#options;
    const isInbox = inbox.isInboxOf(session, view);
    const replaced = view.isPattern ? undefined : command.former.positionIn(view.feed);
    const from = isInbox ? inbox.startOf(session, view, subscription, replaced) : subscription;
    const continued = (checkRoom: (bytes: number) => void) =>
      isInbox ? undefined : continuedAfter(view, subscription, command.former, this.#options, checkRoom);
    const started = this.#starts.startCharged(view, from, command, { payer, replaced: ended, continued });
    const { backlog, result, charge } = started;
    // From here on nothing refuses it.
    for (const each of ended) session.views.remove(each, 'replaced');
    const origin = isAutomatic ? 'gateway' : decision?.grant === true ? 'granted' : 'client';
    const sessionView = new SessionView({ view, origin, payer, permit, backlog, charge });
    session.views.add(sessionView);
    if (permit !== undefined) this.#permits.began({ session, sessionView, permit });
    if (isInbox) inbox.joined(session, sessionView, subscription);
    if (subscription.presence === true) this.#watchOrUndo(session, sessionView);
    // Member by member, because V8 makes a slow object of a spread, and slow code of what reads both kinds (`bench --
    // storm`).
    const { mode, epoch, offset, recovered, missing, topics, cursor } = result;
    const intervalMs = options.intervalMs || undefined;
    return {
      topic: target,
      view: view.id,
      mode,
      epoch,
      offset,
      recovered,
      missing,
      topics,
      intervalMs,
      cursor,
      inbox: isInbox || undefined,
    } satisfies Record<keyof Granted, unknown>;
  }

  /** Returns the topic token that permits the subscription, if one does. Throws the refusal. */
  #check(
    session: Session,
    { topic: target, filter, presence, since, last, keys, token, fault: malformed }: Subscription,
    decision: SubscribeGrant | undefined,
  ): Identity | undefined {
    if (malformed !== undefined) throw new SluiceError(malformed.code, malformed.message);
    throwIf(targetProblem(target));
    if (presence === true) this.#checkPresence(session, target);
    if (filter !== undefined) {
      const fault = filterProblem(filter);
      if (fault !== undefined) throw new SluiceError('invalid_filter', fault);
    }
    if (since !== undefined && last !== undefined) {
      throw new SluiceError('invalid_request', 'since and last exclude each other');
    }
    if (since !== undefined && isPattern(target)) {
      throw new SluiceError(
        'invalid_request',
        'a pattern continues by cursor, or by positions, not by since',
      );
    }
    if (keys !== undefined && (isPattern(target) || this.#options.modeOf(target) !== 'state'))
      throw new SluiceError('invalid_request', 'keys need a state topic');
    if (token !== undefined) return this.#permits.of(session, target, token);
    readingOf(decision, this.#options.authorize(session.identity, 'subscribe', target));
    return undefined;
  }

  #checkPresence(session: Session, target: string): void {
    if (isPattern(target)) throw new SluiceError('invalid_request', 'presence needs a topic, not a pattern');
    throwIf(this.#options.authorize(session.identity, 'presence', target));
  }

  #watchOrUndo(session: Session, sessionView: SessionView): void {
    try {
      this.#watch(session, sessionView);
    } catch (error) {
      session.views.remove(sessionView, 'refused');
      throw error;
    }
  }

  #watch(session: Session, sessionView: SessionView): void {
    const { target } = sessionView;
    const view = this.#options.presence.watch(target, session.codec);
    const shared = session.views.get(view.id);
    if (shared !== undefined) {
      // Another subscription of the session watches the same topic.
      this.#options.fanout.detach(view);
      sessionView.watchBy(shared);
      return;
    }
    const { backlog } = this.#starts.start(view, { topic: target }, new SubscribeCommand());
    const watch = new SessionView({ view, origin: 'gateway', watches: target, backlog });
    sessionView.watchBy(watch);
    session.views.add(watch);
  }

  /** `granted`: the filter that the client can't widen. */
  #viewOptions(
    session: Session,
    { topic: target, filter, intervalMs, conflate, keys }: Subscription,
    granted: Filter | undefined,
  ): ViewOptions {
    const wanted = both(granted, filter);
    return {
      target,
      codec: session.codec,
      filter: wanted && compileFilter(wanted),
      intervalMs: snapInterval(intervalMs ?? 0),
      conflate: conflate === true || this.#options.conflates(target),
      keys: keys && viewKeys(keys),
      dictionaries:
        this.#options.dictionaries &&
        session.introduction?.knowsDictionaries === true &&
        session.codec.frameCompressedBatch !== undefined,
    };
  }

  /**
   * Throws for a second equal subscription, unless the first was the gateway's own. Returns those that the client's
   * replaces.
   */
  #checkPlace(session: Session, options: ViewOptions, subscription: Subscription): readonly SessionView[] {
    if (session.views.size === 0) return [];
    const replaced = subscription.replaces === true ? replacedBy(session, subscription) : [];
    const existing = equalTo(session, options);
    if (existing !== undefined) {
      if (existing.isAutomatic) return [existing, ...replaced];
      throw new SluiceError('already_subscribed', `already subscribed to ${subscription.topic}`);
    }
    if (isFull(session, options, replaced, this.#options.subscriptionsPerSession))
      throw new SluiceError('too_many_subscriptions');
    return replaced;
  }
}
