import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type SseEvent, SseParser } from '../../test/support/sse-client.ts';
import { localAddress } from '../support/raw-client.ts';
import type { FaultClient } from './client.ts';
import { type Journal, kinds } from './journal.ts';
import { hashOf, type Marker, serialOf, topicOfClient, topics } from './plan.ts';

/** Soon, and not all at once: a run is short. */
const delaysMs = [100, 200, 400, 800];

interface Publication {
  readonly offset: number;
  readonly timestamp: string;
  readonly data: unknown;
}

/** The members of the frames that are looked at. */
interface Frame {
  readonly topic?: string;
  readonly epoch?: string;
  readonly time?: string;
  readonly offset?: number;
  readonly after?: number;
  readonly upto?: number;
  readonly first?: boolean;
  readonly last?: boolean;
  readonly timestamp?: string;
  readonly data?: unknown;
  readonly recovered?: boolean;
  readonly missing?: { readonly after: number; readonly upto: number };
  readonly messages?: readonly Publication[];
  readonly results?: readonly (Frame & { readonly topic: string })[];
}

/**
 * An application on a stream of Server-Sent Events, as simple as they are: it comes back with the id that it had last.
 * By the client rule it skips what it has had already; a hole is for the comparison to find.
 */
export class StreamClient implements FaultClient {
  readonly index: number;
  readonly errors: string[] = [];
  readonly #topic: string;
  readonly #port: number;
  readonly #journal: Journal;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastId = '';
  #epoch = '';
  #position = -1;
  #entries: Publication[] = [];
  #greetedAtMs = 0;
  #tries = 0;
  #connects = 0;
  #gaps = 0;
  #isOpen = false;
  #isLagging = false;
  /** Its numbering began anew with this connection. */
  #isAnew = false;
  #isClosed = false;
  lags = 0;
  isStalled = false;

  constructor(index: number, port: number, journal: Journal) {
    this.index = index;
    this.#port = port;
    this.#journal = journal;
    this.#topic = topics[topicOfClient(index)]!.name;
    this.#open();
  }

  get isConnected(): boolean {
    return this.#isOpen;
  }

  get stats(): { readonly connects: number; readonly gaps: number } {
    return { connects: this.#connects, gaps: this.#gaps };
  }

  get where(): string {
    const state = this.#isOpen ? 'open' : 'away';
    return `client ${this.index}: ${state}, ${this.#topic} at ${this.#epoch}/${this.#position}`;
  }

  hasReached({ epoch, offset }: Marker): boolean {
    return this.#epoch === epoch && this.#position >= offset;
  }

  cut(): void {
    this.#request?.destroy();
  }

  pause(): void {
    this.isStalled = true;
    this.#response?.pause();
  }

  resume(): void {
    this.isStalled = false;
    this.#response?.resume();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.cut();
  }

  #open(): void {
    const opening = request({
      host: '127.0.0.1',
      port: this.#port,
      path: `/sse?topic=${encodeURIComponent(this.#topic)}`,
      agent: false,
      localAddress: localAddress(this.index, 100),
      headers: this.#lastId === '' ? {} : { 'Last-Event-ID': this.#lastId },
    });
    this.#request = opening;
    opening.on('response', (response) => this.#read(response));
    opening.on('error', () => undefined);
    opening.on('close', () => this.#away());
    opening.end();
  }

  #read(response: IncomingMessage): void {
    this.#response = response;
    const parser = new SseParser();
    response.setEncoding('utf8');
    response.on('error', () => undefined);
    response.on('data', (chunk: string) => {
      for (const event of parser.take(chunk)) this.#take(event);
      // Also of events without data.
      this.#lastId = parser.lastEventId || this.#lastId;
    });
    if (this.isStalled) response.pause();
  }

  #away(): void {
    this.#isOpen = false;
    this.#isLagging = false;
    this.#entries = [];
    this.#request = undefined;
    this.#response = undefined;
    if (this.#isClosed) return;
    const delayMs = delaysMs[Math.min(this.#tries++, delaysMs.length - 1)]!;
    this.#timer = setTimeout(() => this.#open(), delayMs * (0.5 + Math.random() / 2));
  }

  #take({ event, data }: SseEvent): void {
    const frame = JSON.parse(data) as Frame;
    if (event === 'connected') this.#greetedAtMs = Date.parse(frame.time!);
    else if (event === 'subscribed') this.#subscribed(frame.results!);
    else if (event === 'error') this.errors.push(data);
    else if (frame.topic !== this.#topic) return;
    else if (event === 'lagging') this.#lag();
    else if (event === 'gap' || event === 'caughtUp') this.#caughtUp(frame);
    else if (event === 'reset') this.#begin(frame, true);
    else if (frame.messages === undefined)
      this.#batch(frame.offset! - 1, frame.offset!, [frame as Publication]);
    else if (frame.upto === undefined) this.#snapshot(frame);
    else this.#batch(frame.after!, frame.upto, frame.messages, frame.epoch);
  }

  #subscribed(results: readonly (Frame & { readonly topic: string })[]): void {
    const own = results.find(({ topic }) => topic === this.#topic);
    if (own === undefined) return;
    this.#isOpen = true;
    this.#tries = 0;
    this.#connects++;
    if (this.#position < 0) this.#begin(own, false);
    else if (own.epoch !== this.#epoch) this.#begin(own, true);
    else this.#isAnew = false;
  }

  /** A numbering: the first one, or another. */
  #begin({ epoch = '', offset = 0 }: Frame, isAnother: boolean): void {
    this.#isAnew = isAnother;
    this.#journal.add(isAnother ? kinds.reset : kinds.start, this.index, epoch, offset);
    this.#epoch = epoch;
    this.#position = offset;
  }

  #lag(): void {
    this.#isLagging = true;
    this.lags++;
  }

  /**
   * What is missing is named, whether it was missed away or lagging. A cursor is no offset of the topic, so the range
   * may begin with the numbering: the client knows how much of it it has had.
   */
  #caughtUp({ recovered, missing }: Frame): void {
    this.#isLagging = false;
    if (recovered !== false) return;
    this.#gaps++;
    if (missing === undefined) {
      // Another numbering: what went before is lost as a whole.
      if (!this.#isAnew) this.errors.push(`a gap of unknown extent in ${this.#topic}`);
      return;
    }
    const after = Math.max(missing.after, this.#position);
    if (missing.upto > after) this.#journal.add(kinds.lost, this.index, this.#epoch, after, missing.upto);
    this.#position = Math.max(this.#position, missing.upto);
  }

  #batch(after: number, upto: number, publications: readonly Publication[], epoch = this.#epoch): void {
    // A topic that held nothing has its epoch from now on.
    if (this.#epoch === '') this.#epoch = epoch;
    if (after > this.#position)
      this.errors.push(`a hole from ${this.#position} to ${after} in ${this.#topic}`);
    for (const publication of publications) {
      if (publication.offset <= this.#position) continue;
      const isNews = !this.#isLagging && Date.parse(publication.timestamp) >= this.#greetedAtMs;
      this.#write(isNews ? kinds.live : kinds.recovered, publication);
    }
    this.#position = Math.max(this.#position, upto);
  }

  #snapshot({ first, last, offset = 0, epoch = this.#epoch, messages = [] }: Frame): void {
    if (first === true) this.#entries = [];
    this.#entries.push(...messages);
    if (last !== true) return;
    if (this.#epoch === '') this.#epoch = epoch;
    for (const entry of this.#entries) this.#write(kinds.entry, entry);
    this.#entries = [];
    this.#journal.add(kinds.snapshot, this.index, this.#epoch, offset);
    this.#position = Math.max(this.#position, offset);
  }

  #write(kind: 4 | 5 | 6, { offset, data }: Publication): void {
    // As it was published: the publisher writes no white space.
    const bytes = Buffer.from(JSON.stringify(data));
    this.#journal.add(kind, this.index, this.#epoch, offset, hashOf(bytes), serialOf(bytes));
  }
}
