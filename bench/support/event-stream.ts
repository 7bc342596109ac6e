import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { SseParser } from '../../test/support/sse-client.ts';

export interface EventStreamPort {
  readonly isStalled: () => boolean;
  event(data: string, id: string): void;
  /** A piece was read. `cursor`: the id of its last event, which may have no data; empty: none had one. */
  read(cursor: string): void;
  closed(): void;
}

/** Without it a client whose connection the kernel drops, where too many come at once, tries again after minutes. */
export const responseWithinMs = 30_000;

/** One request for Server-Sent Events, that may be left unread for a time. */
export class EventStream {
  readonly #request: ClientRequest;
  #response: IncomingMessage | undefined;

  constructor(options: RequestOptions, port: EventStreamPort) {
    this.#request = request({ host: '127.0.0.1', agent: false, ...options });
    this.#request.setTimeout(responseWithinMs, () => this.#request.destroy());
    this.#request.on('response', (response) => {
      this.#request.setTimeout(0);
      this.#response = response;
      const parser = new SseParser();
      response.setEncoding('utf8');
      response.on('error', () => undefined);
      response.on('data', (chunk: string) => {
        for (const { data, id } of parser.take(chunk)) port.event(data, id);
        port.read(parser.lastEventId);
      });
      if (port.isStalled()) response.pause();
    });
    this.#request.on('error', () => undefined);
    this.#request.on('close', () => port.closed());
    this.#request.end();
  }

  cut(): void {
    this.#request.destroy();
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }
}
