import { PublishBodies } from '../../src/api/publish-body.ts';
import { pollBody, readStreamBody, type StreamRequest, sseBody } from '../../src/api/stream-request.ts';
import type { Runtime, Socket as SdkSocket, TimerHandle } from '../../src/client/runtime.ts';
import { protobufCodec } from '../../src/client/wire/protobuf.ts';
import { SluiceError } from '../../src/errors.ts';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { utf8 } from '../../src/protocol/utf8.ts';
import type { AppendOutcome } from '../../src/topics/engine.ts';
import { codecs } from '../support/codecs.ts';
import type { Gateway } from './gateway.ts';
import type { Loop } from './loop.ts';
import type { Link, Peer, Socket } from './network.ts';

/** A connection, or a request without a response yet. */
export interface Line {
  cut(): void;
  read(bytes: number): void;
}

export type Run = () => void;

/** What happens to a page. Events of one source keep their order. */
export interface Events {
  task(source: unknown, run: Run): void;
}

/** Where there is no page: at once. */
export const inOrder: Events = { task: (_, run) => run() };

/** Whose time it is, and how it passes. */
interface Place {
  readonly gateway: Gateway;
  readonly events: Events;
}

/** Where an SDK's connections go to, and what lies between. */
export interface Way extends Place {
  /** Something on the way refuses the others. */
  readonly open: 'all' | 'http' | 'poll';
  /** The bytes that a connection's client reads in a turn. */
  readonly readBytes: number;
  readonly lines: Set<Line>;
  /** A request has been made. */
  asked(): void;
  /** The gateway has told a session's id. */
  began(session: string): void;
}

let drawn = 0;

/** Timers on the loop of the gateway that is used, which changes with that. */
export class LoopTimers {
  readonly #place: Place;
  #timers = new Map<object, { readonly atMs: number; readonly run: Run }>();
  #loop: Loop | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  now(): number {
    return this.#place.gateway.loop.nowMs();
  }

  monotonicMs(): number {
    return this.now();
  }

  setTimeout(run: Run, delayMs: number): TimerHandle {
    const handle = {};
    const { events } = this.#place;
    // When it is due the event may have to wait, and the timer may be cleared meanwhile.
    const due = () =>
      events.task(this, () => {
        if (this.#timers.delete(handle)) run();
      });
    this.#timers.set(handle, { atMs: this.now() + delayMs, run: due });
    this.#arm(handle);
    return handle;
  }

  clearTimeout(handle: TimerHandle | undefined): void {
    this.#timers.delete(handle as object);
  }

  /** The gateway is another one. */
  moved(): void {
    if (this.#loop === this.#place.gateway.loop) return;
    for (const handle of this.#timers.keys()) this.#arm(handle);
  }

  #arm(handle: object): void {
    const { loop } = this.#place.gateway;
    this.#loop = loop;
    const { atMs, run } = this.#timers.get(handle) as { atMs: number; run: Run };
    loop.after(Math.max(0, atMs - loop.nowMs()), () => {
      if (this.#loop === loop && this.#timers.has(handle)) run();
    });
  }
}

/** The platform of an SDK. */
export class LoopRuntime extends LoopTimers implements Runtime {
  readonly #way: Way;

  constructor(way: Way) {
    super(way);
    this.#way = way;
  }

  /** Numbers differ by so little that only ids show it: of publications and tabs, which must not be the same. */
  random(): number {
    return 0.5 + ++drawn / 2 ** 40;
  }

  readonly fetch = ((url: string | URL, init: RequestInit = {}) => {
    const { events } = this.#way;
    const answered = ask(this.#way, url, init);
    return new Promise<Answer>((resolve, reject) => {
      answered.then(
        (answer) => events.task(answered, () => resolve(answer)),
        (fault) => events.task(answered, () => reject(fault)),
      );
    });
  }) as unknown as typeof fetch;
}

/** A class of WebSockets that go this way. */
export function webSocketOf(way: Way): new () => object {
  return class {
    constructor() {
      // biome-ignore lint/correctness/noConstructorReturn: the SDK constructs what it is given
      return new ModelWebSocket(way);
    }
  };
}

class ModelWebSocket implements SdkSocket, Peer, Line {
  binaryType = '';
  readonly protocol = codecs.protobuf.subprotocol;
  onopen: SdkSocket['onopen'] = null;
  onmessage: SdkSocket['onmessage'] = null;
  onclose: SdkSocket['onclose'] = null;
  onerror: SdkSocket['onerror'] = null;
  readonly #way: Way;
  readonly #events: Events;
  #socket: Socket | undefined;
  #hasHeard = false;
  #isOver = false;

  constructor(way: Way) {
    this.#way = way;
    this.#events = way.events;
    const { gateway } = way;
    way.lines.add(this);
    gateway.loop.atTurnEnd(() => {
      if (way.open !== 'all') this.close();
      if (!this.#isOver) this.#open(gateway);
    });
  }

  #open(gateway: Gateway): void {
    this.#socket = gateway.connect(codecs.protobuf, this);
    this.#socket.readBytes = this.#way.readBytes;
    this.#events.task(this, () => this.onopen?.());
  }

  send(data: Uint8Array): void {
    this.#socket?.say(data, true);
  }

  close(): void {
    this.#isOver = true;
    if (this.#socket === undefined) queueMicrotask(() => this.closed());
    else this.#socket.isAbandoned = true;
  }

  cut(): void {
    this.close();
  }

  read(bytes: number): void {
    if (this.#socket !== undefined) this.#socket.readBytes = bytes;
  }

  receive(message: Uint8Array): void {
    // The first frame names the session.
    if (!this.#hasHeard) tellSession(this.#way, JSON.stringify(protobufCodec.decode(message)));
    this.#hasHeard = true;
    const { buffer: data } = message.slice();
    this.#events.task(this, () => this.onmessage?.({ data }));
  }

  closed(): void {
    this.#way.lines.delete(this);
    this.#isOver = true;
    this.#events.task(this, () => this.onclose?.({ code: 1006, reason: '' }));
  }
}

/** A response of the gateway, or of what lies between. */
type Answer = Pick<Response, 'ok' | 'status'> & {
  headers: Headers;
  json(): Promise<unknown>;
  body?: unknown;
};

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return { ok: status < 300, status, headers: new Headers(headers), json: async () => body };
}

async function ask(way: Way, url: string | URL, { body, signal }: RequestInit): Promise<Answer> {
  const { gateway } = way;
  way.asked();
  await new Promise<void>((resolve, reject) => {
    const line: Line = { cut: () => reject(new TypeError('cut off')), read: () => undefined };
    way.lines.add(line);
    gateway.loop.atTurnEnd(() => {
      way.lines.delete(line);
      resolve();
    });
  });
  const { pathname } = new URL(url);
  if (signal?.aborted) throw new TypeError('no way there');
  if (pathname === '/ws') return answer(426, { error: { code: 'upgrade_required', message: '' } });
  if (pathname === '/sse' && way.open !== 'poll') {
    return stream(way, asked(readStreamBody(sseBody, utf8(String(body)), '')), signal as AbortSignal);
  }
  if (pathname === '/poll') {
    return poll(way, asked(readStreamBody(pollBody, utf8(String(body)), '')), signal as AbortSignal);
  }
  if (pathname === '/api/publish') return answered(way, publish(way, String(body)), signal);
  if (pathname === '/api/publish/batch') return answered(way, publishBatch(way, String(body)), signal);
  throw new TypeError('no way there');
}

/** The response may be lost on its way, or come too late. */
function answered(way: Way, response: Promise<Answer>, signal: RequestInit['signal']): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const line: Line = {
      cut: () => {
        way.lines.delete(line);
        reject(new DOMException('cut off', signal?.aborted ? 'AbortError' : 'NetworkError'));
      },
      read: () => undefined,
    };
    way.lines.add(line);
    signal?.addEventListener('abort', line.cut);
    void response.then((response) =>
      way.gateway.loop.atTurnEnd(() => {
        way.lines.delete(line);
        signal?.removeEventListener('abort', line.cut);
        resolve(response);
      }),
    );
  });
}

async function publish(way: Way, body: string): Promise<Answer> {
  const [outcome] = (await published(way, [body])) as [Outcome];
  return 'error' in outcome ? answer(outcome.error.httpStatus, outcome) : answer(200, outcome);
}

async function publishBatch(way: Way, body: string): Promise<Answer> {
  const bodies = (JSON.parse(body) as unknown[]).map((each) => JSON.stringify(each));
  return answer(200, { results: await published(way, bodies) });
}

type Outcome = Extract<AppendOutcome, { ok: true }> | { readonly error: Pick<SluiceError, 'httpStatus'> };

async function published({ gateway }: Way, bodies: readonly string[]): Promise<readonly Outcome[]> {
  const reader = new PublishBodies(65_536);
  const read = bodies.map((body) => reader.publish(utf8(body)));
  const sound = read.filter((fields): fields is PublishFields => !(fields instanceof SluiceError));
  const outcomes = (await gateway.broker.publish(sound)).values();
  return read.map((fields) => {
    const refused = { ok: false, error: fields as SluiceError } as const;
    const outcome = fields instanceof SluiceError ? refused : (outcomes.next().value as AppendOutcome);
    if (outcome.ok) return outcome;
    const { code, httpStatus, message, number, retry, retryAfterMs } = outcome.error;
    return { error: { code, httpStatus, message, number, retry, retryAfterMs } };
  });
}

function asked(request: StreamRequest | SluiceError) {
  if (request instanceof SluiceError) throw request;
  const { subscriptions, text: cursor, former, timeoutSeconds } = request;
  return { subscriptions, cursor, former, timeoutMs: timeoutSeconds * 1000 };
}

type Piece = { readonly done: true } | { readonly done: false; readonly value: Uint8Array };

function stream(way: Way, request: ReturnType<typeof asked>, signal: AbortSignal): Answer {
  const pieces: Piece[] = [];
  let waiting: ((piece: Piece) => void) | undefined;
  let decoded = '';
  const { events } = way;
  const arrived = (piece: Piece) =>
    events.task(pieces, () => {
      if (waiting === undefined) pieces.push(piece);
      else waiting(piece);
      waiting = undefined;
    });
  const link: Link = way.gateway.openStream(request, {
    read: (value) => {
      if (decoded.length < 2000) {
        decoded += Buffer.from(value).toString();
        tellSession(way, decoded);
      }
      arrived({ done: false, value });
    },
    closed: () => {
      way.lines.delete(line);
      arrived({ done: true });
    },
  });
  const cut = () => {
    link.isAbandoned = true;
  };
  const line: Line = {
    cut,
    read: (bytes) => {
      link.readBytes = bytes;
    },
  };
  line.read(way.readBytes);
  way.lines.add(line);
  signal.addEventListener('abort', cut);
  const read = (): Promise<Piece> =>
    new Promise((resolve) => {
      const piece = pieces.shift();
      if (piece === undefined) waiting = resolve;
      else resolve(piece);
    });
  return { ...answer(200, undefined), body: { getReader: () => ({ read }) } };
}

function poll(way: Way, request: ReturnType<typeof asked>, signal: AbortSignal): Promise<Answer> {
  const { gateway } = way;
  return new Promise((resolve, reject) => {
    const end = (give: () => void) =>
      gateway.loop.atTurnEnd(() => {
        if (leave()) give();
      });
    let abandon: (() => void) | undefined;
    const line: Line = {
      cut: () => {
        if (!leave()) return;
        abandon?.();
        reject(new TypeError('cut off'));
      },
      read: () => undefined,
    };
    const leave = () => {
      signal.removeEventListener('abort', line.cut);
      return way.lines.delete(line);
    };
    way.lines.add(line);
    signal.addEventListener('abort', line.cut);
    abandon = gateway.poll(request, {
      respond: ({ frames, cursor = request.cursor }) =>
        end(() => {
          const texts = frames.map((frame) => Buffer.from(frame).toString());
          for (const text of texts) tellSession(way, text);
          const events = texts.map((text) => JSON.parse(text) as unknown);
          resolve(answer(events.length === 0 ? 204 : 200, { events, cursor }, { 'sluice-cursor': cursor }));
        }),
      drop: () => end(() => reject(new TypeError('dropped'))),
    });
  });
}

function tellSession(way: Way, text: string): void {
  const [, session] = /"(?:type|kind)":"connected"[^\n]*?"session":"([^"]+)"/.exec(text) ?? [];
  if (session !== undefined) way.began(session);
}
