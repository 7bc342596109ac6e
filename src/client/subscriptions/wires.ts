import type { Publication, SubscribeResult, TopicPosition, WireError } from '../../protocol/frames.ts';
import { inflateBody } from '../../protocol/inflate.ts';
import { snapInterval } from '../../protocol/selection-key.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, localError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { entriesPerCommand } from '../limits.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';
import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';
import { decodeRun } from '../wire/protobuf.ts';
import type { Acknowledging } from './extras/acknowledging.ts';
import { type Code, extras } from './extras.ts';
import { subscribeInParts } from './in-parts.ts';
import type { LocalSubscription } from './local-subscription.ts';
import type { Audience, Planned, Registry, Shared } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Wire } from './wire.ts';

/** What subscriptions need from the client. */
export interface SubscriptionsPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** Abandoned if the gateway does not reply. */
  readonly connection: { abandon(error: ClientError): void };
  readonly stats: { gaps: number; publications: number };
  /** The positions of this client's publications with `exceptSelf`. */
  readonly own: { has(position: TopicPosition): boolean };
  /** Whether these topics may hold one whose offset is not known yet. */
  readonly queue: { isUnsettled(matches: (topic: string) => boolean): boolean };
  report(error: ClientError): void;
  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(subscription: LocalSubscription): void;
  /** Its listeners hear the publications of such topics. */
  readonly emitter: Audience;
}

/**
 * All subscriptions on the wire. Sends them to the gateway, in as few commands as possible, sends them again if that
 * may succeed, and ends those that have no member left.
 */
export class Wires implements Registry {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  readonly byKey = new Map<string, Wire>();
  /** Another map for each connection. */
  byView = new Map<number, Wire>();
  acknowledging: Acknowledging | undefined;
  isOnline = false;
  /** The newest one of each view of this connection. */
  readonly dictionaries = new Map<number, ServerKinds['dictionary']>();
  retries: Planned | undefined;
  /** Views to end, with the keys of their subscriptions. */
  readonly #unwanted = new Map<number, string>();
  /** Set after `rate_limited`: until it fires no view is ended. */
  readonly #ending: Timer;
  #isFlushPlanned = false;
  /** Called when the code is loaded, which has failed. */
  readonly #waiting: ((code: Code) => void)[] = [];
  readonly #reload: Timer;
  readonly #backoff: Backoff;
  readonly port: SubscriptionsPort;

  constructor(port: SubscriptionsPort) {
    const { runtime } = port;
    this.commands = port.commands;
    this.runtime = runtime;
    this.#ending = this.newTimer();
    this.#reload = this.newTimer();
    this.#backoff = new Backoff({}, runtime);
    this.port = port;
  }

  /** Equal for equal subscriptions. */
  keyOf(topic: string, { filter, intervalMs = 0, conflate = false, keys }: SubscribeOptions): string {
    const sorted = keys && [...new Set(keys)].sort();
    return JSON.stringify([topic, filter, snapInterval(intervalMs), conflate, sorted]);
  }

  all(): Wire[] {
    return [...this.byKey.values()];
  }

  newTimer(): Timer {
    return new Timer(this.runtime);
  }

  report(error: ClientError): void {
    this.port.report(error);
  }

  expand({ compressed, view, publications }: ServerKinds['batch']): readonly Publication[] | undefined {
    if (!compressed) return publications;
    try {
      return decodeRun(inflateBody(compressed, this.dictionaries.get(view)));
    } catch {
      return undefined;
    }
  }

  // -- the connection ---------------------------------------------------------------------------------

  /** Subscribes to all, each from its own position. Those that the gateway made exist already. */
  connected(): void {
    this.isOnline = true;
    this.askRefused();
    this.#backoff.reset();
    this.#load();
  }

  disconnected(): void {
    this.isOnline = false;
    this.#reload.stop();
    this.acknowledging?.clear();
    this.byView = new Map();
    this.dictionaries.clear();
    this.#unwanted.clear();
    this.#ending.stop();
    this.retries?.clear();
    for (const wire of this.all()) {
      if (wire.state !== 'off') wire.toNeeded();
      this.drop(wire);
    }
  }

  // -- code that is loaded when it is first needed ------------------------------------------------------

  /** If the code does not load, loads it again with a backoff while connected, and at the next connect. */
  withExtras(run: (code: Code) => void): void {
    extras.use(run, (cause) => {
      if (this.#waiting.push(run) > 1) return;
      this.report(localError('code_unavailable', undefined, cause));
      if (this.isOnline) this.#reload.set(this.#backoff.next() ?? 0, () => this.#load());
    });
  }

  #load(): void {
    for (const run of this.#waiting.splice(0)) this.withExtras(run);
  }

  // -- asking -----------------------------------------------------------------------------------------

  /** Subscribes and unsubscribes at the end of this turn, by one command each. */
  planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    queueMicrotask(() => {
      this.#isFlushPlanned = false;
      this.flush();
    });
  }

  /** Ends unwanted views and sends the subscriptions that are needed, in as few commands as possible. */
  flush(): void {
    if (!this.isOnline) return;
    this.#endUnwanted();
    const due = this.all().filter((wire) => this.#isDue(wire));
    subscribeInParts(
      this.commands,
      due.map((wire) => [wire, wire.toAsked()]),
      (of, ...outcome) => this.#replied(of, ...outcome),
    );
  }

  #isDue({ state, members, key, topic, isPattern }: Wire): boolean {
    if (state !== 'needed' || members.size === 0 || this.isEnding(key)) return false;
    const prefix = topic.slice(0, -1);
    return !this.port.queue.isUnsettled((one) => (isPattern ? one.startsWith(prefix) : one === topic));
  }

  #replied(wires: readonly Wire[], ...[reply, error]: Outcome<'subscribe'>): void {
    if (reply) {
      wires.forEach((wire, index) => {
        const result = reply.results[index];
        if (result) this.#settle(wire, result);
      });
      return;
    }
    if (error.code === 'timeout') this.port.connection.abandon(error);
    else if (error.code !== 'disconnected')
      for (const wire of wires) {
        // The gateway did not read them, so the members get no refusal.
        if (error.code === 'rate_limited') this.askLater(wire, error.retryAfterMs ?? 1_000);
        else this.#refuse(wire, error);
      }
  }

  #settle(wire: Wire, result: SubscribeResult): void {
    if ('error' in result) {
      const error = new ClientError(result.error);
      if (error.code === 'already_subscribed') this.withExtras(({ reconcile }) => void reconcile(this, wire));
      else if (!wire.extras?.goOnUnwatched(error)) this.#refuse(wire, error);
      return;
    }
    this.byView.set(result.view, wire);
    wire.toLive(result);
    if (wire.members.size === 0) this.drop(wire);
    else if (wire.extras?.mustAskAgain) this.askAgain(wire);
    else extras.loaded?.rekey(this, wire);
  }

  end(wire: Wire, error: WireError): void {
    this.#refuse(wire, new ClientError(error));
  }

  #refuse(wire: Wire, error: ClientError): void {
    wire.toOff(error);
    this.drop(wire);
    if (error.retry && wire.members.size > 0)
      this.askLater(wire, Math.max(wire.backoff.next() ?? 0, error.retryAfterMs ?? 0));
  }

  /** Sends refused subscriptions again: another connection or token may be granted them. */
  askRefused(): void {
    this.askFor(this.all().filter((wire) => wire.state === 'off' && !this.retries?.has(wire)));
  }

  askAgain(wire: Wire): void {
    this.release(wire);
    this.askFor([wire]);
  }

  askLater(wire: Wire, delayMs: number): void {
    wire.toOff();
    this.withExtras(({ planRetry }) => planRetry(this, wire, delayMs));
  }

  askFor(wires: readonly Shared[]): void {
    for (const wire of wires) wire.toNeeded();
    this.flush();
  }

  // -- leaving ----------------------------------------------------------------------------------------

  /** Forgets a subscription without members, unless another has joined. While its reply is outstanding it is kept. */
  drop(wire: Wire): void {
    if (wire.members.size > 0 || wire.state === 'asked') return;
    this.retries?.delete(wire);
    this.release(wire);
    if (this.byKey.get(wire.key) === wire) this.byKey.delete(wire.key);
  }

  release(wire: Wire): void {
    if (this.byView.get(wire.view) !== wire) return;
    this.byView.delete(wire.view);
    this.dictionaries.delete(wire.view);
    this.releaseView(wire.view, wire.key);
  }

  /** Ends a view of a subscription with this key. */
  releaseView(view: number, key: string): void {
    if (!this.isOnline) return;
    this.#unwanted.set(view, key);
    this.planFlush();
  }

  /**
   * Whether the gateway may still have an equal subscription when a command that is sent now arrives. It would refuse
   * it (`already_subscribed`).
   */
  isEnding(key: string): boolean {
    return this.#ending.isSet && [...this.#unwanted.values()].includes(key);
  }

  /** Commands arrive in order, so one that is sent after this may use the same keys. */
  #endUnwanted(): void {
    if (this.#ending.isSet) return;
    const all = [...this.#unwanted];
    this.#unwanted.clear();
    while (all.length > 0) {
      const ended = all.splice(0, entriesPerCommand);
      this.commands.send('unsubscribe', { views: ended.map(([view]) => view) }, (_reply, error) => {
        const { code, retryAfterMs = 1_000 } = error ?? {};
        if (code === 'timeout') this.port.connection.abandon(error as ClientError);
        if (code !== 'rate_limited') return;
        for (const [view, key] of ended) this.#unwanted.set(view, key);
        this.#ending.set(retryAfterMs, () => this.flush());
      });
    }
  }
}
