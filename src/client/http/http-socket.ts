import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { Ack, Granted, SubscribeResult, Subscription, WireError } from '../../protocol/frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import type { Runtime, Socket } from '../runtime.ts';
import { gatewayError } from '../told-error.ts';
import { HttpCommands } from './http-commands.ts';
import { type HttpSubscription, httpSubscription, joined, notAsked, streamMax } from './http-subscription.ts';
import { historyPath, requestBody } from './json-frames.ts';
import type { HttpMemory, Receive, Target } from './receive.ts';

export interface HttpSocketOptions {
  /** That of the WebSocket, beside which the streams are. */
  readonly url: string;
  readonly token: string | undefined;
  readonly receive: Receive;
  readonly runtime: Runtime;
  readonly memory: HttpMemory;
  readonly commandTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Called once. */
  ended(): void;
  /** A proxy reaches no gateway. */
  unreached(): void;
}

/** Carries frames over HTTP: the gateway's come by a stream or by polls, and each command is a request. */
export class HttpSocket implements Socket {
  binaryType = '';
  readonly protocol = '';
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  #token: string | undefined;
  #greeting: ServerKinds['connected'] | undefined;
  /** The session of the open stream. A publish that excepts the client's session excepts this one. */
  #session = '';
  #cursor: string | undefined;
  #subscriptions: HttpSubscription[] = [];
  #lastView = 0;
  #run = 0;
  #abort = new AbortController();
  #isPlanned = false;
  #closed = false;
  #heardAtMs = 0;
  readonly #base: string;
  readonly #options: HttpSocketOptions;
  readonly #commands: HttpCommands;

  constructor(options: HttpSocketOptions) {
    this.#options = options;
    this.#base = options.url.replace(/^ws/, 'http').replace(/[^/]*(\?.*)?$/, '');
    this.#token = options.token;
    this.#commands = new HttpCommands({
      runtime: options.runtime,
      commandTimeoutMs: options.commandTimeoutMs,
      requestTimeoutMs: options.requestTimeoutMs,
      target: () => this.#target,
      isOver: () => this.#closed,
      session: () => this.#session,
      reply: (frame) => this.#reply(frame),
      fail: (id, error) => this.#fail(id, error),
    });
    this.#plan();
  }

  /** Only for WebSockets: see `sendFrame`. */
  send(): void {}

  close(code = 1000, reason = ''): void {
    this.#end(code, reason);
  }

  sendFrame(frame: ClientFrame): void {
    const { id } = frame;
    switch (frame.kind) {
      case 'connect':
        if (this.#greeting) this.#reply({ ...this.#greeting, kind: 'connected', id });
        break;
      case 'subscribe':
        for (const subscription of frame.subscriptions) {
          this.#endJoined(subscription);
          this.#want(subscription, id);
        }
        this.#plan();
        break;
      case 'setKeys':
        // A stream that continues would lack the values of new keys, so the subscription begins again.
        for (const { view, selection } of [...this.#subscriptions])
          if (view === frame.view) this.#want({ ...selection, keys: frame.keys }, id);
        this.#subscriptions = this.#subscriptions.filter(({ view }) => view !== frame.view);
        this.#plan();
        break;
      case 'unsubscribe':
        this.#subscriptions = this.#subscriptions.filter(({ view }) => !frame.views?.includes(view));
        this.#plan();
        this.#reply({ kind: 'unsubscribed', id, views: frame.views ?? [] });
        break;
      case 'publish': {
        const { kind: _kind, id: _id, except, ...fields } = frame;
        const own = except === this.#greeting?.session ? this.#session : except;
        // Requests are sent one after the other.
        this.#commands.publish(id, { ...fields, except: own, pipelined: undefined });
        break;
      }
      case 'call': {
        const { method, payload } = frame;
        void this.#commands.ask(id, 'result', 'api/call', requestBody({ method, payload }));
        break;
      }
      case 'history':
        void this.#commands.ask(id, 'history', historyPath(frame), undefined, true);
        break;
      case 'status':
        this.#reply({ kind: 'status', id, ...this.#status() });
        break;
      case 'refresh':
        this.#token = frame.token;
        this.#plan();
        this.#reply({ kind: 'refreshed', id });
        break;
      case 'ping':
        if (frame.acks) void this.#acknowledge(id, frame.acks);
        else if (this.#options.runtime.monotonicMs() - this.#heardAtMs < silentMs) {
          this.#reply({ kind: 'pong', id, timeMs: this.#options.runtime.now() });
        }
        break;
      default:
        this.#fail(id, gatewayError('not_supported', 'It needs a WebSocket.'));
    }
  }

  // -- the stream -------------------------------------------------------------------------------------

  #want(subscription: Subscription, command: number): void {
    this.#subscriptions.push(httpSubscription(subscription, command));
  }

  /** The client's own subscription replaces an equal one that the gateway made. */
  #endJoined({ since: _since, last: _last, cursor: _cursor, ...selection }: Subscription): void {
    const key = JSON.stringify(selection);
    this.#subscriptions = this.#subscriptions.filter(
      ({ command, selection }) => command !== joined || JSON.stringify(selection) !== key,
    );
  }

  /** Opens another stream, with the subscriptions that are wanted at the end of this turn. */
  #plan(): void {
    if (this.#isPlanned || this.#closed) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      void this.#open();
    });
  }

  async #open(): Promise<void> {
    if (this.#closed) return;
    const run = ++this.#run;
    this.#commands.forget();
    this.#abort.abort();
    this.#abort = new AbortController();
    const requested = [...this.#subscriptions];
    let subscribed = 0;
    try {
      await this.#options.receive({
        ...this.#target,
        subscriptions: requested
          .slice(0, streamMax)
          .map(({ selection, start, cursor }) => start ?? { ...selection, cursor: this.#cursor ?? cursor }),
        acks: this.#token !== undefined,
        former: this.#options.memory.session,
        signal: this.#abort.signal,
        heard: () => {
          this.#heardAtMs = this.#options.runtime.monotonicMs();
        },
        taken: () => new Promise((resolve) => this.#commands.afterOwn(false, resolve)),
        covered: (cursor) =>
          this.#commands.afterOwn(false, () => {
            if (run === this.#run) this.#cursor = cursor;
          }),
        frame: (frame, cursor) =>
          this.#commands.afterOwn('view' in frame, () => {
            if (run !== this.#run || this.#closed) return;
            if (cursor !== undefined) this.#cursor = cursor;
            // Polls continue in another session if the one before is gone.
            if (frame.kind === 'connected') subscribed = 0;
            if (frame.kind !== 'subscribed') this.#received(frame);
            // The gateway's own come first, and again later where they found no place.
            else if (++subscribed === 2) this.#granted(requested, frame.results);
            else this.#joined(requested, frame.results);
          }),
      });
      if (run === this.#run) this.#end(1006, '');
    } catch (cause) {
      if (run === this.#run && !this.#isTooLarge(cause)) this.#lost(cause);
    }
  }

  /** If the gateway takes no list of this size, fails the newest command in it, and asks for the others. */
  #isTooLarge(cause: unknown): boolean {
    const { error } = cause as { readonly error?: WireError };
    const newest = this.#subscriptions.filter(({ start }) => start).at(-1)?.command;
    if (error?.code !== 'frame_too_large' || !newest) return false;
    this.#subscriptions = this.#subscriptions.filter(({ command, start }) => !(start && command === newest));
    this.#fail(newest, error);
    this.#plan();
    return true;
  }

  #received(frame: ServerFrame): void {
    if (frame.kind === 'connected') this.#connected(frame);
    else if (frame.kind === 'error') this.#lost({ error: frame });
    else if ('view' in frame) {
      const subscription = this.#subscriptions.find(({ gatewayView }) => gatewayView === frame.view);
      // A stream names the losses of `subscribed` once more.
      if (!subscription || (frame.kind === 'caughtUp' && !frame.recovered && !frame.missing)) return;
      if (frame.kind === 'caughtUp' && frame.recovered) subscription.isLagging = false;
      if ('epoch' in frame && !subscription.topic.endsWith('*'))
        subscription.epoch = frame.epoch ?? subscription.epoch;
      // The cursor also covers offsets without a match for the filter, which no batch covers. They are no gap.
      const shown = frame.kind === 'batch' && subscription.isWhole ? { ...frame, after: 0 } : frame;
      this.#tell({ ...shown, view: subscription.view });
    } else if ('views' in frame) {
      const named = this.#subscriptions.filter(({ gatewayView }) => frame.views.includes(gatewayView));
      if (frame.kind === 'lagging') for (const subscription of named) subscription.isLagging = true;
      this.#tell({ ...frame, views: named.map(({ view }) => view) });
    } else this.#tell(frame);
  }

  #connected(frame: ServerFrame & { kind: 'connected' }): void {
    this.#session = frame.session;
    this.#options.memory.session = frame.session;
    if (this.#greeting) return;
    this.#greeting = frame;
    this.onopen?.();
    this.#tell({ ...frame, id: 0 });
  }

  /**
   * The gateway's own subscriptions. From now on the client asks for them, so that the next stream continues them.
   * Polls that did not ask for them yet may go on in another session, in which the gateway makes them again.
   */
  #joined(requested: readonly HttpSubscription[], results: readonly SubscribeResult[]): void {
    const fresh: SubscribeResult[] = [];
    for (const result of results) {
      const known = this.#subscriptions.filter(({ topic }) => topic === result.topic);
      const continued = known.find((each) => !each.start && !requested.includes(each));
      if (continued) this.#continued(continued, result);
      else if (known.length === 0) fresh.push(this.#joinedOne(result));
    }
    if (fresh.length > 0) this.#tell({ kind: 'subscribed', id: 0, results: fresh });
  }

  #joinedOne(result: SubscribeResult): SubscribeResult {
    if ('error' in result) return result;
    this.#want({ topic: result.topic }, joined);
    return this.#begun(this.#subscriptions.at(-1) as HttpSubscription, result);
  }

  #granted(requested: readonly HttpSubscription[], results: readonly SubscribeResult[]): void {
    const replies = new Map<number, SubscribeResult[]>();
    requested.forEach((subscription, index) => {
      const result = index < streamMax ? results[index] : notAsked(subscription);
      if (!result) return;
      if (subscription.start === undefined) this.#continued(subscription, result);
      else {
        const reply =
          'error' in result ? this.#refusedOne(subscription, result) : this.#begun(subscription, result);
        replies.set(subscription.command, [...(replies.get(subscription.command) ?? []), reply]);
      }
    });
    for (const [id, results] of replies) this.#tell({ kind: 'subscribed', id, results });
  }

  #begun(subscription: HttpSubscription, result: Granted): Granted {
    subscription.start = undefined;
    this.#name(subscription, result);
    subscription.view = ++this.#lastView;
    subscription.epoch = result.epoch;
    subscription.cursor = result.cursor;
    return { ...result, view: subscription.view };
  }

  #refusedOne(subscription: HttpSubscription, result: SubscribeResult): SubscribeResult {
    this.#subscriptions = this.#subscriptions.filter((each) => each !== subscription);
    return result;
  }

  /** A subscription continues in another stream, or in another session of polls. */
  #continued(subscription: HttpSubscription, result: SubscribeResult): void {
    if ('error' in result) {
      this.#refusedOne(subscription, result);
      this.#tell({ kind: 'unsubscribed', id: 0, views: [subscription.view], reason: result.error.code });
      return;
    }
    const { epoch, offset, recovered } = result;
    const isReset = epoch !== subscription.epoch && !result.topic.endsWith('*');
    // The gateway does not know the cursor, and sends all that it holds. Of this range the client names what it lacks.
    const missing = result.missing ?? (isReset || !epoch ? undefined : { after: 0, upto: offset });
    this.#name(subscription, result);
    subscription.isWhole = recovered === true;
    subscription.epoch = epoch;
    const continued = { ...result, id: 0, view: subscription.view };
    if (recovered === false) this.#tell({ ...continued, kind: 'caughtUp', recovered, missing });
    else if (isReset) this.#tell({ ...continued, kind: 'reset' });
    // The stream in which it lagged is over, and would have told it.
    if (subscription.isLagging)
      this.#tell({ ...continued, kind: 'caughtUp', recovered: true, cursor: undefined });
    subscription.isLagging = false;
  }

  #name(subscription: HttpSubscription, { view }: Granted): void {
    subscription.gatewayView = view;
    subscription.session = this.#session;
  }

  /**
   * Without an error of the gateway the connection is lost. An error may say when to come back: a gateway that drains
   * refuses the next request of a client that it has not told yet.
   */
  #lost(cause: unknown): void {
    const error = (cause as { readonly error?: WireError }).error;
    if (error && !this.#greeting) {
      if (error.code === 'gateway_unreachable') this.#options.unreached();
      this.onopen?.();
      this.#fail(handshakeId, error);
      return;
    }
    const { code: reason = '', retryAfterMs: reconnectDelayMs } = error ?? {};
    if (reconnectDelayMs) this.#tell({ kind: 'goingAway', id: 0, reconnectDelayMs, reason });
    this.#end(reason === 'unauthorized' ? 4501 : 1006, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.ended();
    this.#commands.end();
    this.#abort.abort();
    this.onclose?.({ code, reason });
  }

  // -- commands ---------------------------------------------------------------------------------------

  get #target(): Target {
    const headers: Target['headers'] =
      this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    return { base: this.#base, fetch: this.#options.runtime.fetch as typeof fetch, headers };
  }

  /**
   * Without a token the gateway can't know whose session it is, and needs no acknowledgement. If the request fails, or
   * a view belongs to a stream that has just ended, the client is told to acknowledge again.
   */
  async #acknowledge(id: number, acks: readonly Ack[]): Promise<void> {
    const mine = acks.flatMap(({ view, ...position }) => {
      const subscription = this.#subscriptions.find((each) => each.view === view);
      return subscription
        ? [{ session: subscription.session, ack: { view: subscription.gatewayView, ...position } }]
        : [];
    });
    const sayable = mine.filter(({ session }) => session === this.#session).map(({ ack }) => ack);
    let isDone = mine.length === 0 || this.#token === undefined;
    if (!isDone && sayable.length > 0) {
      const path = `api/connections/${this.#session}/acks`;
      // Sent even if the page goes away.
      const reply = this.#commands.fetch(path, JSON.stringify({ acks: sayable }), { keepalive: true });
      const response = await reply.catch(() => undefined);
      isDone = response?.['acknowledged'] === true && sayable.length === mine.length;
    }
    if (isDone) this.#reply({ kind: 'pong', id, timeMs: this.#options.runtime.now() });
    else this.#fail(id, gatewayError('rate_limited', 'Not acknowledged yet.'));
  }

  #status(): Omit<ServerKinds['status'], 'kind'> {
    const { session = '', user, timeMs: connectedAtMs = 0 } = this.#greeting ?? {};
    const subscriptions = this.#subscriptions.map(({ topic, view }) => ({ topic, view }));
    const timeMs = this.#options.runtime.now();
    return { session, user, connectedAtMs, messageCount: 0, subscriptions, timeMs };
  }

  #fail(id: number, { code, number, message, retry, retryAfterMs }: WireError): void {
    this.#reply({ kind: 'error', id, code, number, message, retry, retryAfterMs });
  }

  /** After the caller has returned, as a reply over a network would. */
  #reply(frame: ServerFrame): void {
    queueMicrotask(() => this.#tell(frame));
  }

  #tell(frame: ServerFrame): void {
    if (!this.#closed) this.onmessage?.({ data: frame });
  }
}

/** The id of the command `connect`. */
const handshakeId = 1;
/** The gateway writes at least a comment to a stream, and ends a poll, within 25 s. */
const silentMs = 40_000;
