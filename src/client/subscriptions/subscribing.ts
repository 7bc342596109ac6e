import type { SubscribeResult, WireError, Subscription as WireSubscription } from '../../protocol/frames.ts';
import { canonicalKey, keysText, snapInterval } from '../../protocol/selection-key.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, localError, ownError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import { inflating } from '../inflow.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';
import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';
import { decodeRun } from '../wire/protobuf.ts';
import { splitBulk } from './bulk.ts';
import type { Dictionaries } from './dictionaries.ts';
import type { Retries } from './extras/retries.ts';
import { type Code, extras } from './extras.ts';
import { Releases } from './releases.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Wire } from './wire.ts';

/** What asking for subscriptions needs from its surroundings. */
export interface SubscribingPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** The gateway doesn't reply: the connection is of no use. */
  abandon(error: ClientError): void;
  report(error: ClientError): void;
  count(what: 'gaps' | 'publications', many: number): void;
  /** The most bytes of a command, and how many one has with this subscription alone. */
  frameMaxBytes(): number;
  bytesOf(subscription: WireSubscription): number;
  /** Whether a publication of this client that it doesn't want back may be in these topics, not known yet where. */
  isUnsettled(matches: (topic: string) => boolean): boolean;
}

/** Half of what a list of a command may have. */
const subscriptionsPerCommand = 500;

/**
 * Asks the gateway for subscriptions, in bulk where it can, asks again where that may succeed, and ends those that have
 * no member left.
 */
export class Subscribing {
  isOnline = false;
  #flushPlanned = false;
  readonly byKey = new Map<string, Wire>();
  readonly byView = new Map<number, Wire>();
  readonly commands: PendingCommands;
  /** From the first dictionary, or the first compressed batch, on. */
  #dictionaries: Dictionaries | undefined;
  /** Refused, or not recoverable yet: asked for again at their time. */
  #retries: Retries<Wire> | undefined;
  readonly releases: Releases;
  /** What runs when the code for it is there. */
  #waiting: ((code: Code) => void)[] = [];
  #isLoading = false;
  readonly #reload: Timer;
  readonly #backoff: Backoff;
  readonly #port: SubscribingPort;

  constructor(port: SubscribingPort) {
    this.#reload = new Timer(port.runtime);
    this.#backoff = new Backoff({}, () => port.runtime.random());
    this.commands = port.commands;
    this.#port = port;
    this.releases = new Releases({
      commands: port.commands,
      timer: new Timer(port.runtime),
      abandon: (error) => port.abandon(error),
      ended: () => this.flush(),
    });
  }

  /** Equal for equal subscriptions. */
  keyOf(topic: string, { filter, intervalMs = 0, conflate = false, keys }: SubscribeOptions): string {
    const text = filter && JSON.stringify(filter);
    return canonicalKey(topic, text, snapInterval(intervalMs), conflate, keys && keysText(keys));
  }

  all(): Wire[] {
    return [...this.byKey.values()];
  }

  /** Asks for all, each from its own position. Those that the gateway made are there already. */
  connected(): void {
    this.isOnline = true;
    this.askRefused();
    this.#backoff.reset();
    this.#load();
  }

  disconnected(): void {
    this.isOnline = false;
    this.#reload.stop();
    this.byView.clear();
    this.#dictionaries?.clear();
    this.releases.clear();
    this.#retries?.clear();
    for (const shared of this.all()) {
      if (shared.state !== 'off') shared.toNeeded();
      this.drop(shared);
    }
  }

  /** Asks again for refused subscriptions, which another connection or another token may be granted. */
  askRefused(): void {
    this.#askFor(this.all().filter((shared) => shared.state === 'off' && !this.#retries?.has(shared)));
  }

  // -- code that is loaded when it is first needed ------------------------------------------------------

  /** Where the code does not load, it is tried again as long as the connection is there, and with the next. */
  withExtras(run: (code: Code) => void): void {
    if (extras.loaded) run(extras.loaded);
    else {
      this.#waiting.push(run);
      this.#load();
    }
  }

  #load(): void {
    if (this.#isLoading || this.#waiting.length === 0) return;
    this.#isLoading = true;
    extras.use(
      (code) => {
        this.#isLoading = false;
        for (const run of this.#waiting.splice(0)) run(code);
      },
      (cause) => {
        this.#isLoading = false;
        this.#port.report(localError('code_unavailable', undefined, cause));
        if (this.isOnline) this.#reload.set(this.#backoff.next() ?? 0, () => this.#load());
      },
    );
  }

  /** The frame that needs it has waited for its code. */
  get dictionaries(): Dictionaries | undefined {
    this.#dictionaries ??= inflating.loaded && new inflating.loaded.Dictionaries(decodeRun);
    return this.#dictionaries;
  }

  dictionary(frame: ServerKinds['dictionary']): void {
    // That of a view that was left meanwhile would never be forgotten.
    if (this.byView.has(frame.view)) this.dictionaries?.add(frame);
  }

  // -- asking -----------------------------------------------------------------------------------------

  /** All subscriptions of a turn go out as one command. */
  planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Asks for the subscriptions that are needed, in as few commands as possible. */
  flush(): void {
    this.releases.flush();
    if (!this.isOnline) return;
    const needed = this.all().filter((shared) => this.#isDue(shared));
    const requests = needed.map((shared) => ({ shared, request: shared.toAsked() }));
    const limits = { entries: subscriptionsPerCommand, bytes: this.#port.frameMaxBytes() };
    const { parts, tooLarge } = splitBulk(requests, ({ request }) => this.#port.bytesOf(request), limits);
    for (const { shared } of tooLarge) {
      this.refuse(shared, ownError('frame_too_large', 'The subscription is too large.'));
    }
    for (const part of parts) this.#send(part);
  }

  #isDue({ state, members, key, topic, isPattern }: Wire): boolean {
    if (state !== 'needed' || members.size === 0 || this.releases.holds(key)) return false;
    const prefix = topic.slice(0, -1);
    return !this.#port.isUnsettled((one) => (isPattern ? one.startsWith(prefix) : one === topic));
  }

  #send(part: readonly { readonly shared: Wire; readonly request: WireSubscription }[]): void {
    const subscriptions = part.map(({ request }) => request);
    const asked = part.map(({ shared }) => shared);
    this.commands.send('subscribe', { subscriptions }, (outcome) => this.#replied(asked, outcome));
  }

  #replied(asked: readonly Wire[], outcome: Outcome<'subscribe'>): void {
    if (outcome.ok) {
      asked.forEach((shared, index) => {
        const result = outcome.reply.results[index];
        if (result) this.#settle(shared, result);
      });
      return;
    }
    const { error } = outcome;
    if (error.code === 'disconnected') return;
    if (error.code === 'timeout') {
      this.#port.abandon(error);
      return;
    }
    for (const shared of asked) {
      // The gateway did not look at them: members are not told of a refusal.
      if (error.code === 'rate_limited') this.askLater(shared, error.retryAfterMs ?? 1_000);
      else this.refuse(shared, error);
    }
  }

  #settle(shared: Wire, result: SubscribeResult): void {
    if ('error' in result) {
      if (result.error.code === 'already_subscribed') this.#askAnew(shared);
      else this.end(shared, result.error);
      return;
    }
    this.byView.set(result.view, shared);
    shared.toLive(result);
    if (shared.members.size === 0) this.drop(shared);
    else if (shared.mustAskAgain) this.askAgain(shared);
    else extras.loaded?.rekey(this, shared);
  }

  /** The gateway has an equal one. */
  #askAnew(shared: Wire): void {
    this.askLater(shared, shared.backoff.next() ?? 0);
    this.withExtras(({ reconcile }) => void reconcile(this, shared));
  }

  end(shared: Wire, error: WireError): void {
    this.refuse(shared, new ClientError(error));
  }

  refuse(shared: Wire, error: ClientError): void {
    shared.toOff(error);
    if (shared.members.size === 0) {
      this.drop(shared);
      return;
    }
    const delayMs = shared.backoff.next() ?? 0;
    if (error.retry) this.askLater(shared, Math.max(delayMs, error.retryAfterMs ?? 0));
  }

  // -- leaving and beginning again --------------------------------------------------------------------

  /**
   * Fetches what is missing by subscribing again from the position. One at a time: until the reply, batches are
   * ignored.
   */
  recover(shared: Wire): void {
    this.#port.count('gaps', 1);
    const waitMs = shared.recoveryDelayMs(this.#port.runtime.monotonicMs());
    if (waitMs === 0) {
      this.askAgain(shared);
      return;
    }
    this.release(shared);
    this.askLater(shared, waitMs);
  }

  askAgain(shared: Wire): void {
    this.release(shared);
    shared.toNeeded();
    this.flush();
  }

  askLater(shared: Wire, delayMs: number): void {
    const { runtime } = this.#port;
    shared.toOff();
    this.withExtras(({ Retries }) => {
      this.#retries ??= new Retries(
        new Timer(runtime),
        () => runtime.monotonicMs(),
        (due) => this.#askFor(due),
      );
      if (this.isOnline && shared.state === 'off') this.#retries.add(shared, delayMs);
    });
  }

  /** It goes out when those before it have ended. */
  unplan(shared: Wire): void {
    this.#retries?.delete(shared);
    shared.toNeeded();
  }

  abandon(error: ClientError): void {
    this.#port.abandon(error);
  }

  #askFor(all: readonly Wire[]): void {
    for (const shared of all) shared.toNeeded();
    this.flush();
  }

  /**
   * Forgets a subscription without members, unless its reply is outstanding (then later) or another member has joined.
   */
  drop(shared: Wire): void {
    if (shared.members.size > 0 || shared.state === 'asked') return;
    this.#retries?.delete(shared);
    this.release(shared);
    if (this.byKey.get(shared.key) === shared) this.byKey.delete(shared.key);
  }

  release(shared: Wire): void {
    if (this.byView.get(shared.view) !== shared) return;
    this.byView.delete(shared.view);
    this.dictionaries?.forget(shared.view);
    if (this.isOnline) this.releases.add(shared.view, shared.key);
  }
}
