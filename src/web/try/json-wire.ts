import type { Position } from '../../protocol/frames.ts';
import { Resume } from './resume.ts';
import {
  comeBackMs,
  type Frame,
  type NewPublication,
  subscriptionOf,
  type ToldError,
  type TrySettings,
  told,
  type Wire,
  type WireListener,
} from './wire.ts';

interface WaitingReply {
  resolve(position: Position): void;
  reject(error: Error): void;
}

/** A WebSocket with JSON, without a library. */
export class JsonWire implements Wire {
  readonly #settings: TrySettings;
  readonly #listener: WireListener;
  readonly #resume: Resume;
  readonly #waiting = new Map<number, WaitingReply>();
  #socket: WebSocket | undefined;
  #timer = 0;
  #nextId = 1;
  #isClosed = false;

  constructor(settings: TrySettings, listener: WireListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#resume = new Resume(settings.topic);
    this.#open();
  }

  publish({ topic, type, data, tags }: NewPublication): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error('The connection is not open.');
      const id = this.#send({ type: 'publish', topic, event: type, data, tags });
      this.#waiting.set(id, { resolve, reject });
    });
  }

  cut(): void {
    this.#socket?.close();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #open(): void {
    this.#listener.connecting();
    const url = new URL('ws', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.hash = '';
    const socket = new WebSocket(url, 'sluice.v1.json');
    this.#socket = socket;
    socket.onopen = () => {
      const { credential } = this.#settings;
      if (credential !== undefined) this.#send({ type: 'connect', token: credential, client: 'try' });
      // Begins where the last connection ended. Only the first one takes the newest N.
      const resume = this.#resume.options;
      const { last, ...rest } = subscriptionOf(this.#settings);
      const isFirst = Object.keys(resume).length === 0;
      this.#send({ type: 'subscribe', ...rest, ...(isFirst ? { last } : resume) });
      this.#listener.connected();
    };
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)) as Frame);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  #send(command: Readonly<Record<string, unknown>>): number {
    const id = this.#nextId++;
    this.#socket?.send(JSON.stringify({ ...command, id }));
    return id;
  }

  #take(frame: Frame): void {
    this.#resume.take(frame);
    const waiting = this.#waiting.get(Number(frame['id']));
    if (waiting !== undefined) {
      this.#waiting.delete(Number(frame['id']));
      if (frame.type === 'error') waiting.reject(new Error(told(frame as unknown as ToldError)));
      else waiting.resolve(frame as unknown as Position);
    }
    this.#listener.frame(frame);
  }

  #closed(code: number, reason: string): void {
    for (const { reject } of this.#waiting.values())
      reject(new Error('The connection was lost before the reply.'));
    this.#waiting.clear();
    if (this.#isClosed) return;
    const why = `closed with ${code}${reason === '' ? '' : `, ${reason}`}`;
    // 4500 to 4999 tell the client not to reconnect.
    if (code >= 4500) this.#listener.ended(why);
    else {
      this.#listener.lost(why);
      this.#timer = window.setTimeout(() => this.#open(), comeBackMs);
    }
  }
}
