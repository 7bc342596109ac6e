import { EventStream } from '../support/event-stream.ts';
import { localAddress } from '../support/raw-client.ts';
import type { Frame } from './frame-application.ts';
import { HttpFaultClient } from './http-client.ts';

/** By a stream of Server-Sent Events. Its cursor is the id of the last event. */
export class StreamClient extends HttpFaultClient {
  protected open(): void {
    const options = {
      port: this.port,
      path: `/sse?topic=${encodeURIComponent(this.application.topic)}`,
      localAddress: localAddress(this.index, 100),
      headers: this.cursor === '' ? {} : { 'Last-Event-ID': this.cursor },
    };
    this.line = new EventStream(options, {
      isStalled: () => this.isStalled,
      event: (data) => this.application.take(JSON.parse(data) as Frame),
      read: (cursor) => {
        this.cursor = cursor || this.cursor;
      },
      closed: () => this.away(),
    });
  }
}
