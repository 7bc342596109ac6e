import type { Wish } from './plan.ts';

interface Publication {
  readonly key?: string;
  readonly removed?: boolean;
  readonly offset: number;
  readonly data?: { readonly n: number };
}

interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** The members of the frames of the JSON codec that are looked at. */
export interface Frame extends Partial<Publication> {
  readonly type: string;
  readonly id?: number;
  readonly topic?: string;
  readonly view?: number;
  readonly epoch?: string;
  readonly after?: number;
  readonly upto?: number;
  readonly first?: boolean;
  readonly last?: boolean;
  readonly partial?: boolean;
  readonly recovered?: boolean;
  readonly cursor?: string;
  readonly code?: string;
  readonly messages?: readonly Publication[];
  readonly results?: readonly Frame[];
  readonly topics?: readonly Frame[];
  readonly timestamp?: string;
}

/** One topic of a subscription. */
interface MirroredTopic {
  position: Position;
  values: Map<string, number>;
  /** Of a snapshot that has begun. */
  page: Map<string, number> | undefined;
  /** Its values have not come yet: it can't go on from its position. */
  isIncomplete: boolean;
}

/**
 * What one subscription shows, kept as gateway.proto tells receivers to: by snapshots, batches and resets alone. By a
 * WebSocket it goes on from its position, or a pattern from its cursor; a stream has a cursor of its own.
 */
export class Mirror {
  readonly wish: Wish;
  readonly problems: string[] = [];
  cursor: string | undefined;
  readonly #comparesOffsets: boolean;
  readonly #topics = new Map<string, MirroredTopic>();

  /** A client of streams need not compare offsets: nothing comes twice there. */
  constructor(wish: Wish, comparesOffsets: boolean) {
    this.wish = wish;
    this.#comparesOffsets = comparesOffsets;
  }

  get isPattern(): boolean {
    return this.wish.topic.endsWith('*');
  }

  values(topic: string): ReadonlyMap<string, number> {
    return this.#topics.get(topic)?.values ?? new Map();
  }

  /** The topics that it shows something of. */
  get shown(): string[] {
    return [...this.#topics].filter(([, { values }]) => values.size > 0).map(([topic]) => topic);
  }

  /** Where a WebSocket goes on. */
  get since(): { since?: Position; cursor?: string } {
    if (this.isPattern) return this.cursor === undefined ? {} : { cursor: this.cursor };
    const known = this.#topics.get(this.wish.topic);
    return known === undefined || known.isIncomplete ? {} : { since: known.position };
  }

  /** The connection is gone: no page of a snapshot goes on by another one. */
  cut(): void {
    for (const known of this.#topics.values()) known.page = undefined;
  }

  /** The gateway's answer. `isAnew`: it was asked to begin, not to go on. */
  subscribed(result: Frame, isAnew: boolean): void {
    if (result.code !== undefined) this.problems.push(`refused: ${result.code}`);
    if (isAnew) this.#topics.clear();
    if (this.isPattern) {
      for (const each of result.topics ?? []) this.#begin(each);
      if (result.cursor !== undefined) this.cursor = result.cursor;
      else if (isAnew) this.cursor = undefined;
    } else this.#begin(result);
  }

  take(frame: Frame): void {
    const topic = frame.topic ?? this.wish.topic;
    if (frame.cursor !== undefined) this.cursor = frame.cursor;
    if (frame.type === 'reset') this.#reset(topic, frame);
    else if (frame.type === 'snapshot') this.#snapshot(topic, frame);
    else if (frame.type === 'batch') this.#batch(topic, frame, frame.after ?? 0, frame.upto ?? 0);
    else if (frame.timestamp !== undefined && frame.offset !== undefined)
      this.#batch(topic, { ...frame, messages: [frame as Publication] }, frame.offset - 1, frame.offset);
  }

  #begin({ topic = '', epoch = '', offset = 0 }: Frame): void {
    const known = this.#topics.get(topic);
    if (known?.position.epoch === epoch && !known.isIncomplete) return;
    this.#topics.set(topic, {
      position: { epoch, offset },
      values: new Map(),
      page: undefined,
      isIncomplete: epoch !== '' && offset > 0,
    });
  }

  #reset(topic: string, { epoch = '', offset = 0 }: Frame): void {
    const known = this.#topics.get(topic);
    if (known?.position.epoch === epoch) return;
    const isIncomplete = !this.isPattern && offset > 0;
    this.#topics.set(topic, {
      position: { epoch, offset },
      values: new Map(),
      page: undefined,
      isIncomplete,
    });
  }

  #snapshot(topic: string, frame: Frame): void {
    const { epoch = '', offset = 0, first, last, partial, messages = [] } = frame;
    let known = this.#topics.get(topic);
    if (known === undefined) {
      known = { position: { epoch, offset }, values: new Map(), page: undefined, isIncomplete: true };
      this.#topics.set(topic, known);
    }
    if (first === true) known.page = new Map();
    if (known.page === undefined) {
      this.problems.push(`a snapshot of ${topic} without its beginning`);
      return;
    }
    for (const { key = '', data } of messages) known.page.set(key, data?.n ?? -1);
    if (last !== true) return;
    if (partial === true) for (const [key, n] of known.page) known.values.set(key, n);
    else known.values = known.page;
    known.position = { epoch, offset };
    known.page = undefined;
    known.isIncomplete = false;
  }

  #batch(topic: string, { epoch, messages = [] }: Frame, after: number, upto: number): void {
    let known = this.#topics.get(topic);
    if (known === undefined || (epoch !== undefined && epoch !== known.position.epoch)) {
      // An exact topic that held nothing has its epoch from now on.
      if (known !== undefined && known.position.epoch !== '')
        this.problems.push(`${topic} began anew without a word`);
      else if (known === undefined) this.problems.push(`${topic} was not announced`);
      known = {
        position: { epoch: epoch ?? '', offset: after },
        values: new Map(),
        page: undefined,
        isIncomplete: false,
      };
      this.#topics.set(topic, known);
    }
    for (const { key = '', offset, removed, data } of messages) {
      if (this.#comparesOffsets && offset <= known.position.offset) continue;
      if (removed === true) known.values.delete(key);
      else known.values.set(key, data?.n ?? -1);
    }
    known.position = { epoch: known.position.epoch, offset: Math.max(known.position.offset, upto) };
  }
}
