import type { OutFrame, Receiver } from '../../fanout/sink.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Metrics } from '../../metrics.ts';
import type { Position } from '../../protocol/frames.ts';
import type { StreamCursors } from '../../sessions/stream-cursors.ts';
import { type EventNames, eventBytes } from '../event-stream.ts';
import type { SseConnection, StreamSink } from './sse-connection.ts';

type SinkMetrics = Pick<Metrics, 'deliveriesTotal' | 'sentBytesTotal' | 'dropsTotal'>;

export interface SseSinkOptions {
  readonly cursors: StreamCursors;
  readonly metrics: SinkMetrics;
  /** Told of a connection that is gone, after it was removed here. */
  readonly closed: (connection: SseConnection) => void;
}

/** What a member lost in this turn. */
interface Loss {
  readonly receiver: Receiver;
  readonly lost: Map<Feed, Position>;
  frames: number;
}

/** As many as the sink of WebSockets, whose views it shares. */
const maxFramesPerTurn = 31;

/**
 * Writes frames to streams of Server-Sent Events, one by one. The event is made once per frame; per member only its id
 * is written, before the shared bytes. What a member gets in one turn of the fan-out leaves in one write, right after
 * it.
 */
export class SseSink implements StreamSink {
  readonly transport = 'sse';
  readonly maxFramesPerTurn = maxFramesPerTurn;
  readonly #options: SseSinkOptions;
  readonly #members = new Map<View, Set<SseConnection>>();
  readonly #connections = new Set<SseConnection>();
  /** Connections that have frames of this turn. */
  #dirty = new Set<SseConnection>();
  readonly #losses = new Map<SseConnection, Loss>();

  constructor(options: SseSinkOptions) {
    this.#options = options;
  }

  add(connection: SseConnection): void {
    this.#connections.add(connection);
  }

  join(view: View, connection: SseConnection): void {
    const members = this.#members.get(view);
    if (members === undefined) this.#members.set(view, new Set([connection]));
    else members.add(connection);
  }

  leave(view: View, connection: SseConnection): void {
    const members = this.#members.get(view);
    members?.delete(connection);
    if (members?.size === 0) this.#members.delete(view);
  }

  hasLost(connection: SseConnection): boolean {
    return this.#losses.has(connection);
  }

  gone(connection: SseConnection): void {
    this.#losses.delete(connection);
    this.#dirty.delete(connection);
    const { unsentPublications } = connection;
    if (unsentPublications > 0) this.#options.metrics.deliveriesTotal.retract(unsentPublications);
    if (this.#connections.delete(connection)) this.#options.closed(connection);
  }

  beginTurn(): void {
    if (this.#losses.size === 0) return;
    const losses = [...this.#losses.values()];
    this.#losses.clear();
    for (const { receiver, lost, frames } of losses) receiver.lag(lost, frames);
  }

  publish(frame: OutFrame): void {
    const members = this.#members.get(frame.view);
    if (members === undefined) return;
    this.#options.cursors.publishing(frame, () => this.#publish(frame, members, undefined));
  }

  publishExcept(frame: OutFrame, _members: number, except: string, instead: () => OutFrame): void {
    const members = this.#members.get(frame.view);
    if (members === undefined) return;
    this.#options.cursors.publishing(frame, () => {
      const excepted = this.#publish(frame, members, except);
      if (excepted !== undefined) this.#publish(instead(), [excepted], undefined);
    });
  }

  /** Keeps silent streams open. Call it about once a second. */
  beat(nowMs: number, heartbeatMs: number, writeTimeoutMs: number): void {
    for (const connection of this.#connections) connection.beat(nowMs, heartbeatMs, writeTimeoutMs);
  }

  /** Returns the member that is excepted, if it is one. */
  #publish(
    frame: OutFrame,
    members: Iterable<SseConnection>,
    except: string | undefined,
  ): SseConnection | undefined {
    const { metrics } = this.#options;
    const { bytes, publications } = frame;
    const events: Partial<Record<EventNames, Uint8Array>> = {};
    let excepted: SseConnection | undefined;
    let count = 0;
    for (const connection of members) {
      if (except !== undefined && connection.session?.id === except) {
        excepted = connection;
        continue;
      }
      const { names } = connection;
      events[names] ??= eventBytes(bytes, names).event;
      if (this.#hand(connection, frame, events[names])) count++;
    }
    metrics.deliveriesTotal.inc(publications * count);
    metrics.sentBytesTotal.inc(bytes.length * count);
    return excepted;
  }

  /** Returns whether it could take the frame. */
  #hand(connection: SseConnection, frame: OutFrame, event: Uint8Array): boolean {
    const loss = this.#losses.get(connection);
    if (loss === undefined) {
      if (connection.publish(connection.frame(event, frame.bytes.length, frame.publications))) {
        if (this.#dirty.size === 0) queueMicrotask(() => this.#flush());
        this.#dirty.add(connection);
        return true;
      }
      if (connection.session === undefined) return false;
      this.#losses.set(connection, lossOf(connection.session, frame));
    } else addLoss(loss, frame);
    this.#options.metrics.dropsTotal.inc();
    return false;
  }

  #flush(): void {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    for (const connection of dirty) connection.flush();
  }
}

function lossOf(receiver: Receiver, frame: OutFrame): Loss {
  const loss: Loss = { receiver, lost: new Map(), frames: 0 };
  addLoss(loss, frame);
  return loss;
}

/** It gets no later frame of the same turn either. */
function addLoss(loss: Loss, { feed, epoch, after }: OutFrame): void {
  loss.frames++;
  if (feed !== undefined && !loss.lost.has(feed)) loss.lost.set(feed, { epoch, offset: after });
}
