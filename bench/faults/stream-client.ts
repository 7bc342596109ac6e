import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { SseParser } from '../../test/support/sse-client.ts';
import { localAddress } from '../support/raw-client.ts';
import type { Frame } from './frame-application.ts';
import { HttpFaultClient } from './http-client.ts';

/** By a stream of Server-Sent Events. Its cursor is the id of the last event. */
export class StreamClient extends HttpFaultClient {
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;

  cut(): void {
    this.#request?.destroy();
  }

  override pause(): void {
    super.pause();
    this.#response?.pause();
  }

  override resume(): void {
    super.resume();
    this.#response?.resume();
  }

  protected open(): void {
    const opening = request({
      host: '127.0.0.1',
      port: this.port,
      path: `/sse?topic=${encodeURIComponent(this.application.topic)}`,
      agent: false,
      localAddress: localAddress(this.index, 100),
      headers: this.cursor === '' ? {} : { 'Last-Event-ID': this.cursor },
    });
    this.#request = opening;
    opening.on('response', (response) => this.#read(response));
    opening.on('error', () => undefined);
    opening.on('close', () => {
      this.#response = undefined;
      this.away();
    });
    opening.end();
  }

  #read(response: IncomingMessage): void {
    this.#response = response;
    const parser = new SseParser();
    response.setEncoding('utf8');
    response.on('error', () => undefined);
    response.on('data', (chunk: string) => {
      for (const { data } of parser.take(chunk)) this.application.take(JSON.parse(data) as Frame);
      // Also of events without data.
      this.cursor = parser.lastEventId || this.cursor;
    });
    if (this.isStalled) response.pause();
  }
}
