import { WebSocket } from 'ws';
import { EventStream } from '../support/event-stream.ts';
import { PollConnection } from '../support/poll-connection.ts';
import { StalledClient } from '../support/stalled-client.ts';
import { type Frame, Mirror } from './mirror.ts';
import type { Wish } from './plan.ts';

/** What a client shows of one of its subscriptions. */
export interface ShownSubscription {
  readonly wish: Wish;
  readonly topics: readonly string[];
  readonly problems: readonly string[];
  values(topic: string): ReadonlyMap<string, number>;
}

export interface StateClient {
  readonly kind: string;
  readonly shown: readonly ShownSubscription[];
  isStalled: boolean;
  /** The network fails. */
  cut(): void;
  pause(): void;
  resume(): void;
  close(): void;
}

/** Soon: a run is short. */
export const delaysMs = [50, 100, 200, 400];

/** Reads the frames by itself. Whenever it was cut off it comes back, to the next gateway. */
abstract class FrameClient extends StalledClient implements StateClient {
  abstract readonly kind: string;
  readonly mirrors: readonly Mirror[];
  protected isClosed = false;
  protected cursor = '';
  protected readonly byView = new Map<number, Mirror>();
  readonly #ports: readonly number[];
  #next: number;
  #tries = 0;

  constructor(wishes: readonly Wish[], ports: readonly number[], index: number, comparesOffsets: boolean) {
    super();
    this.mirrors = wishes.map((wish) => new Mirror(wish, comparesOffsets));
    this.#ports = ports;
    this.#next = index;
    queueMicrotask(() => this.open());
  }

  get shown(): ShownSubscription[] {
    return this.mirrors.map((mirror) => ({
      wish: mirror.wish,
      topics: mirror.shown,
      problems: mirror.problems,
      values: (topic) => mirror.values(topic),
    }));
  }

  protected get port(): number {
    return this.#ports[this.#next % this.#ports.length] as number;
  }

  protected abstract open(): void;

  close(): void {
    this.isClosed = true;
    this.cut();
  }

  protected away(): void {
    for (const mirror of this.mirrors) mirror.cut();
    this.byView.clear();
    this.#next++;
    if (this.isClosed) return;
    const delayMs = delaysMs[Math.min(this.#tries++, delaysMs.length - 1)] as number;
    setTimeout(() => this.open(), delayMs * (0.5 + Math.random() / 2));
  }

  /** `isAnew`: of each wish, whether it was asked to begin. */
  protected subscribed(results: readonly Frame[], isAnew: readonly boolean[]): void {
    this.#tries = 0;
    for (const [i, result] of results.entries()) {
      const mirror = this.mirrors[i] as Mirror;
      this.byView.set(result.view ?? 0, mirror);
      mirror.subscribed(result, isAnew[i] === true);
    }
  }

  protected push(frame: Frame): void {
    if (frame.view !== undefined) this.byView.get(frame.view)?.take(frame);
  }
}

export class WebSocketClient extends FrameClient {
  readonly kind = 'WebSocket, JSON';

  constructor(wishes: readonly Wish[], ports: readonly number[], index: number) {
    super(wishes, ports, index, true);
  }

  protected open(): void {
    if (this.isClosed) return;
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/ws`);
    this.line = {
      cut: () => socket.terminate(),
      pause: () => socket.readyState === WebSocket.OPEN && socket.pause(),
      resume: () => socket.resume(),
    };
    const isAnew = this.mirrors.map(({ since }) => Object.keys(since).length === 0);
    socket.on('open', () => {
      const subscriptions = this.mirrors.map(({ wish, since }) => ({ ...wish, ...since }));
      socket.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions }));
      if (this.isStalled) socket.pause();
    });
    socket.on('message', (message: Buffer) => {
      const frame = JSON.parse(message.toString()) as Frame;
      if (frame.type === 'subscribed' && frame.id === 1) this.subscribed(frame.results ?? [], isAnew);
      else this.push(frame);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.away());
  }
}

/** What streams and polls share: the reply says all again whenever a session begins. */
abstract class CursorClient extends FrameClient {
  #replies = 0;

  constructor(wishes: readonly Wish[], ports: readonly number[], index: number) {
    super(wishes, ports, index, false);
  }

  protected query(): URLSearchParams {
    return new URLSearchParams({ subscriptions: JSON.stringify(this.mirrors.map(({ wish }) => wish)) });
  }

  protected take(frame: Frame): void {
    if (frame.type === 'connected') {
      this.#replies = 0;
      this.byView.clear();
      for (const mirror of this.mirrors) mirror.cut();
    } else if (frame.type === 'subscribed') {
      // First come the topics that it joins by itself.
      const isAnew = this.cursor === '';
      if (this.#replies++ > 0)
        this.subscribed(
          frame.results ?? [],
          this.mirrors.map(() => isAnew),
        );
    } else this.push(frame);
  }
}

export class StreamClient extends CursorClient {
  readonly kind = 'SSE';

  protected open(): void {
    if (this.isClosed) return;
    const headers = this.cursor === '' ? {} : { 'Last-Event-ID': this.cursor };
    const options = { port: this.port, path: `/sse?${this.query()}`, headers };
    const continueAt = (cursor: string) => {
      this.cursor = cursor || this.cursor;
    };
    this.line = new EventStream(options, {
      isStalled: () => this.isStalled,
      event: (data, id) => {
        this.take(JSON.parse(data) as Frame);
        continueAt(id);
      },
      read: continueAt,
      closed: () => this.away(),
    });
  }
}

export class PollClient extends CursorClient {
  readonly kind = 'polls';
  readonly #connection = new PollConnection();
  #waits = false;

  override cut(): void {
    this.#connection.cut();
  }

  override resume(): void {
    super.resume();
    if (this.#waits) this.open();
  }

  override close(): void {
    super.close();
    this.#connection.close();
  }

  protected open(): void {
    this.#waits = this.isStalled;
    if (this.isStalled || this.isClosed) return;
    void this.#poll().then(
      () => this.open(),
      () => this.away(),
    );
  }

  async #poll(): Promise<void> {
    const query = this.query();
    query.set('timeoutSeconds', '5');
    if (this.cursor !== '') query.set('cursor', this.cursor);
    const { status, headers, body } = await this.#connection.get(this.port, query);
    if (status === 200)
      for (const frame of (JSON.parse(body) as { events: Frame[] }).events) this.take(frame);
    else if (status !== 204) throw new Error(body);
    this.cursor = String(headers['sluice-cursor'] ?? this.cursor);
  }

  protected override away(): void {
    // The session stays where it is: only its answer was lost.
    const views = [...this.byView];
    super.away();
    for (const [view, mirror] of views) this.byView.set(view, mirror);
  }
}
