import { type ClientRequest, type IncomingMessage, request } from 'node:http';

/** An event as a browser's EventSource dispatches it. */
export interface SseEvent {
  readonly event: string;
  readonly data: string;
  /** The last one that was said so far. */
  readonly id: string;
}

/** Parses Server-Sent Events by the rules of the HTML standard, as the chunks come. */
export class SseParser {
  retryMs: number | undefined;
  lastEventId = '';
  heartbeats = 0;
  #rest = '';
  #data: string[] = [];
  #event = '';
  #id = '';

  take(chunk: string): SseEvent[] {
    const events: SseEvent[] = [];
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() as string;
    for (const line of lines) this.#line(line, events);
    return events;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      this.lastEventId = this.#id;
      if (this.#data.length > 0)
        events.push({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id });
      this.#data = [];
      this.#event = '';
      return;
    }
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === '' && value === 'ping') this.heartbeats++;
    if (name === 'data') this.#data.push(value);
    if (name === 'event') this.#event = value;
    if (name === 'id' && !value.includes('\0')) this.#id = value;
    if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }
}

export interface SseOptions {
  readonly port: number;
  /** With the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent by POST. */
  readonly body?: unknown;
  readonly localAddress?: string;
  /** Cuts the connection once this many characters of the body have come. The rest is never received. */
  readonly cutAfter?: number;
}

/** One stream, until it ends: it does not reconnect. */
export class SseClient {
  readonly events: SseEvent[] = [];
  readonly parser = new SseParser();
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  #onChange: (() => void)[] = [];
  ended = false;
  /** It ended in order. */
  complete = false;

  private constructor(
    request: ClientRequest,
    response: IncomingMessage,
    cutAfter = Number.POSITIVE_INFINITY,
  ) {
    this.#request = request;
    this.response = response;
    let left = cutAfter;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      if (left <= 0) return;
      this.events.push(...this.parser.take(chunk.slice(0, left)));
      left -= chunk.length;
      if (left <= 0) this.close();
      this.#changed();
    });
    response.on('error', () => undefined);
    response.on('close', () => {
      this.ended = true;
      this.complete = response.complete;
      this.#changed();
    });
  }

  static async open({ port, path, headers, body, localAddress, cutAfter }: SseOptions): Promise<SseClient> {
    const method = body === undefined ? 'GET' : 'POST';
    const more = body === undefined ? {} : { 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: false,
          headers: { accept: 'text/event-stream', ...more, ...headers },
          ...(localAddress !== undefined && { localAddress }),
        },
        (response) => resolve(new SseClient(sent, response, cutAfter)),
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  get status(): number {
    return this.response.statusCode ?? 0;
  }

  /** The frames of all events, parsed. */
  get frames(): Record<string, unknown>[] {
    return this.events.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  }

  /** Those of events of this name. */
  of(event: string): Record<string, unknown>[] {
    return this.events
      .filter((each) => each.event === event)
      .map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  }

  /** Of all publications, in the order in which they came. */
  get publications(): { topic: string; offset: number; data: unknown }[] {
    return this.frames.flatMap((frame) => publicationsOf(frame));
  }

  /** Resolves when this holds; rejects when the stream ends before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.ended)
        throw new Error(`the stream ended before ${condition}: ${JSON.stringify(this.events.slice(-3))}`);
      await new Promise<void>((resolve) => this.#onChange.push(resolve));
    }
  }

  async untilEnded(): Promise<void> {
    while (!this.ended) await new Promise<void>((resolve) => this.#onChange.push(resolve));
  }

  pause(): void {
    this.response.pause();
  }

  resume(): void {
    this.response.resume();
  }

  /** Cuts the connection. */
  close(): void {
    this.#request.destroy();
  }

  #changed(): void {
    const waiting = this.#onChange;
    this.#onChange = [];
    for (const run of waiting) run();
  }
}

/** The publications of a frame of the JSON codec. */
export function publicationsOf(
  frame: Record<string, unknown>,
): { topic: string; offset: number; data: unknown }[] {
  type Publication = { topic: string; offset: number; data: unknown };
  if (frame['type'] === 'batch' || frame['type'] === 'snapshot') return frame['messages'] as Publication[];
  return 'offset' in frame && 'timestamp' in frame && 'view' in frame
    ? [frame as unknown as Publication]
    : [];
}
