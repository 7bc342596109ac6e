import type { SubscribeResult } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, localError } from '../client-error.ts';
import { Emitter } from '../emitter.ts';
import type { Outcome, PendingCommands } from '../pending-commands.ts';
import type { Runtime } from '../runtime.ts';
import { caughtUp, resetFeed, snapshot } from '../subscriptions/extras/feed-frames.ts';
import { subscribeInParts } from '../subscriptions/in-parts.ts';
import type { JsonPublication } from './codec.ts';
import { JsonFeed as Feed, type FeedOptions } from './feed.ts';

const ackIntervalMs = 1_000;

/** The frames of a view other than batches, by their kind. */
const feedFrames: Readonly<Record<string, (feed: Feed, frame: never) => void>> = {
  snapshot: snapshot<JsonPublication>,
  reset: resetFeed,
  caughtUp(feed, frame: ServerKinds['caughtUp']) {
    feed.advance(frame.cursor);
    caughtUp(feed, frame);
  },
};

/** What the feeds need from the client. */
export interface AskingPort {
  readonly commands: PendingCommands;
  readonly runtime: Runtime;
  /** The gateway does not reply: the connection is of no use. */
  abandon(error: ClientError): void;
  report(error: ClientError): void;
  /** The gateway subscribed this session by itself, to a topic that the application hasn't asked for. */
  serverMade(feed: Feed): void;
}

/** All feeds of a client. Subscribes to them, again if that may succeed, and hands each frame to its feed. */
export class Asking {
  readonly #feeds = new Map<string, Feed>();
  readonly #byView = new Map<number, Feed>();
  #isOnline = false;
  #isPlanned = false;
  /** The number of the connection. */
  #run = 0;
  readonly #port: AskingPort;

  constructor(port: AskingPort) {
    this.#port = port;
  }

  /** The feed of this selection, for one more holder. */
  hold(topic: string, options: FeedOptions): Feed {
    const { filter, intervalMs, conflate } = options;
    const selection = { topic, filter, intervalMs, conflate };
    const key = JSON.stringify(selection);
    let feed = this.#feeds.get(key);
    if (!feed) {
      const fault = (cause: unknown): void => this.#port.report(localError('listener_failed', topic, cause));
      feed = new Feed(selection, options, new Emitter(fault), this.#port.runtime);
      this.#feeds.set(key, feed);
      this.plan();
    }
    feed.holders++;
    return feed;
  }

  connected(): void {
    this.#isOnline = true;
    this.#flush();
  }

  disconnected(): void {
    this.#isOnline = false;
    this.#run++;
    this.#byView.clear();
    for (const feed of this.#feeds.values()) feed.toOff('pending');
  }

  /** The connection is about to be closed. */
  closing(): void {
    for (const feed of this.#feeds.values()) if (feed.acking.isSet) this.#acknowledge(feed);
  }

  /** Subscribes at the end of this turn, in one command, and ends the feeds that have no holder left. */
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
    else if (frame.kind === 'lagging')
      for (const view of frame.views) this.#byView.get(view)?.enter('lagging');
    else if ('view' in frame) {
      const feed = this.#byView.get(frame.view);
      if (feed && frame.kind !== 'batch') feedFrames[frame.kind]?.(feed, frame as never);
      else if (feed?.batch(frame as ServerKinds['batch']) === false) this.#recover(feed);
      else if (feed?.isInbox) this.#acknowledgeSoon(feed);
    }
  }

  /** At most once a second, as the gateway requires. */
  #acknowledgeSoon(feed: Feed): void {
    if (!feed.acking.isSet) feed.acking.set(ackIntervalMs, () => this.#acknowledge(feed));
  }

  /** Tells the gateway up to where listeners have received an inbox. */
  #acknowledge(feed: Feed): void {
    const { view, topic } = feed;
    feed.acking.stop();
    if (!view) return;
    const acks = [{ view, offset: 0, ...feed.at(topic) }];
    this.#port.commands.send('ping', { acks }, (_reply, error) => {
      if (error?.retry) this.#acknowledgeSoon(feed);
    });
  }

  // -- asking -----------------------------------------------------------------------------------------

  #flush(): void {
    if (!this.#isOnline) return;
    const due = [...this.#feeds.values()].filter(
      ({ state, isAsked, retry }) => state === 'pending' && !isAsked && !retry.isSet,
    );
    subscribeInParts(
      this.#port.commands,
      due.map((feed) => [feed, feed.toAsked()]),
      (of, ...outcome) => this.#replied(of, ...outcome),
    );
  }

  #replied(feeds: readonly Feed[], ...[reply, error]: Outcome<'subscribe'>): void {
    if (reply) {
      feeds.forEach((feed, index) => {
        const result = reply.results[index];
        if (result) this.#settle(feed, result);
      });
      return;
    }
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
    this.plan();
  }

  /** Does not report refusals that pass by themselves. */
  #refuse(feed: Feed, error: ClientError): void {
    const { code, retry, retryAfterMs = 0 } = error;
    const passes = code === 'rate_limited' || code === 'already_subscribed';
    feed.toOff(passes ? 'pending' : 'refused', passes ? undefined : error);
    if (retry || passes) this.#askLater(feed, Math.max(feed.backoff.next() ?? 0, retryAfterMs));
    if (!passes) this.#port.report(error);
    this.plan();
  }

  #askLater(feed: Feed, delayMs: number): void {
    feed.retry.set(delayMs, () => {
      feed.toOff('pending');
      this.#flush();
    });
  }

  /** Fetches what is missing by subscribing again. */
  #recover(feed: Feed): void {
    this.#release(feed);
    const waitMs = feed.toRecovering();
    if (waitMs > 0) this.#askLater(feed, waitMs);
    else this.#flush();
  }

  // -- leaving ----------------------------------------------------------------------------------------

  #drop(key: string, feed: Feed): void {
    this.#feeds.delete(key);
    this.#release(feed);
    feed.toOff('closed');
  }

  #release({ view }: Feed): void {
    if (this.#byView.delete(view)) this.#unsubscribe(view);
  }

  /** `run`: the number of the connection that has the view. */
  #unsubscribe(view: number, run = this.#run): void {
    this.#port.commands.send('unsubscribe', { views: [view] }, (_reply, error) => {
      const { code, retryAfterMs = 1_000 } = error ?? {};
      if (code === 'rate_limited')
        this.#port.runtime.setTimeout(() => {
          if (run === this.#run) this.#unsubscribe(view, run);
        }, retryAfterMs);
      else if (code === 'timeout') this.#port.abandon(error as ClientError);
    });
  }

  // -- made and ended by the gateway ------------------------------------------------------------------

  #madeByGateway(result: SubscribeResult): void {
    if ('error' in result) {
      this.#port.report(new ClientError(result.error));
      return;
    }
    const feed = this.hold(result.topic, {});
    // The client subscribes itself, which replaces the gateway's subscription.
    if (feed.holders > 1 || feed.isAsked) {
      feed.holders--;
      return;
    }
    this.#port.serverMade(feed);
    this.#byView.set(result.view, feed);
    feed.toLive(result);
  }

  #endedByGateway(views: readonly number[], reason = 'not_subscribed'): void {
    for (const view of views) {
      const feed = this.#byView.get(view);
      this.#byView.delete(view);
      if (feed) this.#refuse(feed, new ClientError({ code: reason, number: 0, retry: false }));
    }
  }
}
