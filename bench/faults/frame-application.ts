import { type Journal, kinds } from './journal.ts';
import { hashOf, type Marker, serialOf, topicOfClient, topics } from './plan.ts';

interface Publication {
  readonly offset: number;
  readonly timestamp: string;
  readonly data: unknown;
}

/** The members of frames that are used here. */
export interface Frame {
  readonly type: string;
  readonly topic?: string;
  readonly epoch?: string;
  readonly time?: string;
  readonly code?: string;
  readonly reconnectDelayMs?: number;
  readonly retryAfterMs?: number;
  readonly offset?: number;
  readonly after?: number;
  readonly upto?: number;
  readonly first?: boolean;
  readonly last?: boolean;
  readonly recovered?: boolean;
  readonly missing?: { readonly after: number; readonly upto: number };
  readonly messages?: readonly Publication[];
  readonly results?: readonly Frame[];
}

/**
 * An application that reads frames of the JSON codec itself. As the protocol demands, it skips offsets that it has had;
 * the comparison finds gaps.
 */
export class FrameApplication {
  readonly topic: string;
  readonly errors: string[] = [];
  connects = 0;
  gaps = 0;
  lags = 0;
  /** When the gateway asked it to reconnect; undefined: not since it connected. */
  advisedMs: number | undefined;
  /** When it was last asked to reconnect because the gateway ends. */
  returnAtMs: number | undefined;
  readonly #index: number;
  readonly #journal: Journal;
  readonly #subscribed: () => void;
  #epoch = '';
  #position = -1;
  #entries: Publication[] = [];
  #greetedAtMs = 0;
  #isLagging = false;
  /** Its numbering began anew with this connection. */
  #isAnew = false;

  /** `subscribed` is called whenever the gateway has confirmed the subscription. */
  constructor(index: number, journal: Journal, subscribed: () => void) {
    this.topic = topics[topicOfClient(index)]!.name;
    this.#index = index;
    this.#journal = journal;
    this.#subscribed = subscribed;
  }

  get where(): string {
    return `${this.topic} at ${this.#epoch}/${this.#position}`;
  }

  hasReached({ epoch, offset }: Marker): boolean {
    return this.#epoch === epoch && this.#position >= offset;
  }

  /** The connection is gone, or its session. */
  away(): void {
    this.#isLagging = false;
    this.#entries = [];
  }

  take(frame: Frame): void {
    if (frame.type === 'connected') this.#greetedAtMs = Date.parse(frame.time!);
    else if (frame.type === 'subscribed') this.#begun(frame.results!);
    else if (frame.type === 'goingAway') this.#leave(frame.reconnectDelayMs ?? 0);
    else if (frame.type === 'error' && frame.code === 'shutting_down') this.advisedMs = frame.retryAfterMs;
    else if (frame.type === 'error') this.errors.push(JSON.stringify(frame));
    else if (frame.topic !== this.topic) return;
    else this.#takeOwn(frame);
  }

  #leave(reconnectDelayMs: number): void {
    this.advisedMs = reconnectDelayMs;
    this.returnAtMs = Date.now() + reconnectDelayMs;
  }

  #takeOwn(frame: Frame): void {
    switch (frame.type) {
      case 'lagging':
        this.#isLagging = true;
        this.lags++;
        break;
      case 'caughtUp':
        this.#isLagging = false;
        this.#gap(frame);
        break;
      case 'reset':
        // One that was on its way when the client came tells nothing new.
        if (frame.epoch !== this.#epoch) this.#begin(frame);
        break;
      case 'snapshot':
        this.#snapshot(frame);
        break;
      case 'batch':
        this.#batch(frame.after!, frame.upto!, frame.messages!, frame.epoch);
        break;
      default:
        this.#batch(frame.offset! - 1, frame.offset!, [frame as unknown as Publication]);
    }
  }

  #begun(results: readonly Frame[]): void {
    const own = results.find(({ topic }) => topic === this.topic);
    if (own === undefined) return;
    this.connects++;
    if (this.#position < 0 || own.epoch !== this.#epoch) this.#begin(own);
    else this.#isAnew = false;
    this.#gap(own);
    this.#subscribed();
  }

  /** A numbering: the first one, also of a topic that held nothing when the client came, or another. */
  #begin({ epoch = '', offset = 0 }: Frame): void {
    const isAnother = this.#epoch !== '';
    this.#isAnew = isAnother;
    this.#journal.add(isAnother ? kinds.restart : kinds.start, this.#index, epoch, offset);
    this.#epoch = epoch;
    this.#position = offset;
  }

  /**
   * Publications that are named as missing. After a cursor the range may begin with the numbering, because a cursor is
   * not an offset of the topic: the client knows what it has had.
   */
  #gap({ recovered, missing }: Frame): void {
    if (recovered !== false) return;
    this.gaps++;
    if (missing === undefined) {
      // A new numbering: everything before is lost.
      if (!this.#isAnew) this.errors.push(`a gap of unknown extent in ${this.topic}`);
      return;
    }
    const after = Math.max(missing.after, this.#position);
    if (missing.upto > after) this.#journal.add(kinds.lost, this.#index, this.#epoch, after, missing.upto);
    this.#position = Math.max(this.#position, missing.upto);
  }

  #batch(after: number, upto: number, publications: readonly Publication[], epoch = this.#epoch): void {
    // An empty topic gets its epoch with this frame.
    if (this.#epoch === '') this.#epoch = epoch;
    if (after > this.#position)
      this.errors.push(`a hole from ${this.#position} to ${after} in ${this.topic}`);
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
    this.#journal.add(kinds.snapshot, this.#index, this.#epoch, offset);
    this.#position = Math.max(this.#position, offset);
  }

  #write(kind: 4 | 5 | 6, { offset, data }: Publication): void {
    // The bytes as published, because the publisher writes no white space.
    const bytes = Buffer.from(JSON.stringify(data));
    this.#journal.add(kind, this.#index, this.#epoch, offset, hashOf(bytes), serialOf(bytes));
  }
}
