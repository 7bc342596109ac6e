import type { SubscribeResult, Subscription as WireSubscription } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, localError } from '../client-error.ts';
import { Emitter } from '../emitter.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';
import type { Runtime } from '../runtime.ts';
import { splitBulk } from '../subscriptions/bulk.ts';
import { minRecoveryIntervalMs } from '../subscriptions/feed.ts';
import { JsonFeed as Feed, type FeedOptions } from './feed.ts';

export interface AskingPort {
  /** The gateway doesn't reply: the connection is of no use. */
  abandon(error: ClientError): void;
  report(error: ClientError): void;
  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(feed: Feed): void;
}

/** Half of what a list of a command may have. */
const entriesPerCommand = 500;
/** Frames that are for one feed: its methods have their names. */
const pushes = /^(batch|snapshot|reset|caughtUp)$/;
/** Of what a command has beside its subscriptions. */
const commandBytes = 64;

/** All feeds of a client: asks for them, asks again where that may succeed, and brings each frame to its feed. */
export class Asking {
  readonly #feeds = new Map<string, Feed>();
  readonly #byView = new Map<number, Feed>();
  /** The most bytes of a command; 0: there is no connection. */
  #frameMaxBytes = 0;
  #isPlanned = false;
  /** Counts the connections. */
  #run = 0;
  readonly #commands: PendingCommands;
  readonly #runtime: Runtime;
  readonly #port: AskingPort;

  constructor(commands: PendingCommands, runtime: Runtime, port: AskingPort) {
    this.#commands = commands;
    this.#runtime = runtime;
    this.#port = port;
  }

  /** The feed of this selection, with one holder more. */
  hold(topic: string, options: FeedOptions): Feed {
    const { filter, intervalMs, conflate } = options;
    const key = JSON.stringify([topic, filter, intervalMs, conflate]);
    let feed = this.#feeds.get(key);
    if (!feed) {
      const fault = (cause: unknown): void => this.#port.report(localError('listener_failed', topic, cause));
      feed = new Feed(topic, options, new Emitter(fault), () => this.#runtime.random());
      this.#feeds.set(key, feed);
      this.plan();
    }
    feed.holders++;
    return feed;
  }

  connected(frameMaxBytes: number): void {
    this.#frameMaxBytes = frameMaxBytes;
    this.#flush();
  }

  disconnected(): void {
    this.#frameMaxBytes = 0;
    this.#run++;
    this.#byView.clear();
    for (const feed of this.#feeds.values()) this.#toPending(feed);
  }

  /** All subscriptions of a turn go out as one command. */
  plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      for (const [key, feed] of this.#feeds) if (feed.holders === 0 && !feed.isAsked) this.#drop(key, feed);
      this.#flush();
    });
  }

  push(frame: ServerFrame): void {
    if (frame.kind === 'subscribed') for (const result of frame.results) this.#madeByGateway(result);
    else if (frame.kind === 'unsubscribed') this.#endedByGateway(frame.views, frame.reason);
    else if (frame.kind === 'lagging') for (const view of frame.views) this.#byView.get(view)?.lagging();
    else if ('view' in frame && pushes.test(frame.kind)) {
      const feed = this.#byView.get(frame.view);
      if (feed?.[frame.kind as 'batch'](frame as ServerKinds['batch']) === false) this.#recover(feed);
    }
  }

  // -- asking -----------------------------------------------------------------------------------------

  #flush(): void {
    if (!this.#frameMaxBytes) return;
    const due = [...this.#feeds.values()].filter(
      ({ state, isAsked, retry }) => state === 'pending' && !isAsked && !retry,
    );
    const requests = due.map((feed) => ({ feed, request: feed.toAsked() }));
    const { parts, tooLarge } = splitBulk(requests, ({ request }) => bytesOf(request), {
      entries: entriesPerCommand,
      bytes: this.#frameMaxBytes - commandBytes,
    });
    for (const part of [...parts, ...tooLarge.map((one) => [one])]) {
      const subscriptions = part.map(({ request }) => request);
      const feeds = part.map(({ feed }) => feed);
      this.#commands.send('subscribe', { subscriptions }, (outcome) => this.#replied(feeds, outcome));
    }
  }

  #replied(feeds: readonly Feed[], outcome: Outcome<'subscribe'>): void {
    if (outcome.ok) {
      feeds.forEach((feed, index) => {
        const result = outcome.reply.results[index];
        if (result) this.#settle(feed, result);
      });
      return;
    }
    const { error } = outcome;
    if (error.code === 'disconnected') return;
    if (error.code === 'timeout') this.#port.abandon(error);
    else for (const feed of feeds) this.#refuse(feed, error);
  }

  #settle(feed: Feed, result: SubscribeResult): void {
    if ('error' in result) {
      this.#refuse(feed, new ClientError(result.error));
      return;
    }
    this.#byView.set(result.view, feed);
    feed.toLive(result);
    if (feed.holders === 0) this.plan();
  }

  /** What passes by itself is not told. */
  #refuse(feed: Feed, error: ClientError): void {
    const { code, retry, retryAfterMs = 0 } = error;
    const passes = code === 'rate_limited' || code === 'already_subscribed';
    if (passes) feed.toOff('pending');
    if (retry || passes) this.#askLater(feed, Math.max(feed.backoff.next() ?? 0, retryAfterMs));
    if (!passes) {
      feed.toOff('refused', error);
      this.#port.report(error);
    }
    if (feed.holders === 0) this.plan();
  }

  #askLater(feed: Feed, delayMs: number): void {
    this.#stopRetry(feed);
    feed.retry = this.#runtime.setTimeout(() => {
      this.#toPending(feed);
      this.#flush();
    }, delayMs);
  }

  #stopRetry(feed: Feed): void {
    this.#runtime.clearTimeout(feed.retry);
    feed.retry = 0;
  }

  #toPending(feed: Feed): void {
    this.#stopRetry(feed);
    feed.toOff('pending');
  }

  /** Fetches what is missing by subscribing again. A view whose batches never fit must not turn into a storm. */
  #recover(feed: Feed): void {
    const nowMs = this.#runtime.monotonicMs();
    const waitMs = Math.max(0, feed.recoveredAtMs + minRecoveryIntervalMs - nowMs);
    feed.recoveredAtMs = nowMs + waitMs;
    this.#release(feed);
    feed.toOff('pending');
    if (waitMs > 0) this.#askLater(feed, waitMs);
    else this.#flush();
  }

  // -- leaving ----------------------------------------------------------------------------------------

  #drop(key: string, feed: Feed): void {
    this.#feeds.delete(key);
    this.#stopRetry(feed);
    this.#release(feed);
    feed.toOff('closed');
  }

  #release({ view }: Feed): void {
    if (this.#byView.delete(view)) this.#unsubscribe(view);
  }

  /** Of the connection with this number. */
  #unsubscribe(view: number, run = this.#run): void {
    this.#commands.send('unsubscribe', { views: [view] }, (outcome) => {
      if (outcome.ok) return;
      const { code, retryAfterMs = 1_000 } = outcome.error;
      const again = (): void => {
        if (run === this.#run) this.#unsubscribe(view, run);
      };
      if (code === 'rate_limited') this.#runtime.setTimeout(again, retryAfterMs);
      else if (code === 'timeout') this.#port.abandon(outcome.error);
    });
  }

  // -- made and ended by the gateway ------------------------------------------------------------------

  #madeByGateway(result: SubscribeResult): void {
    if ('error' in result) {
      this.#port.report(new ClientError(result.error));
      return;
    }
    const feed = this.hold(result.topic, {});
    // The client's own command is on its way, or will be, and replaces the gateway's subscription.
    if (--feed.holders > 0 || feed.isAsked) return;
    feed.holders++;
    this.#port.serverMade(feed);
    this.#byView.set(result.view, feed);
    feed.toLive(result);
  }

  #endedByGateway(views: readonly number[], reason = 'not_subscribed'): void {
    for (const view of views) {
      const feed = this.#byView.get(view);
      this.#byView.delete(view);
      if (feed)
        this.#refuse(feed, new ClientError({ code: reason, number: 0, retry: false, message: reason }));
    }
  }
}

/** At most: three bytes a UTF-16 unit. */
function bytesOf(request: WireSubscription): number {
  return 3 * JSON.stringify(request).length;
}
