import { type CompressionCosts, compressionCosts, savedNs } from '../fanout/compression-cost.ts';
import type { Feed } from '../fanout/view.ts';
import type { Metrics } from '../metrics.ts';
import { deflateBody } from '../protocol/compression.ts';
import type { BatchHeader } from '../protocol/frames.ts';
import { LinkedMap } from '../topics/linked-map.ts';
import { backlogEnd } from './topic-backlog.ts';

/** A batch of what a ring holds behind `header.after`, for one view. */
export interface Page {
  readonly header: BatchHeader;
  readonly epoch: string;
  /** Cut: more was there behind it. Otherwise it ends where the view was then. */
  readonly isFull: boolean;
  readonly publications: number;
  readonly message: Uint8Array;
  /** So many bytes at the end of the message are its publications. */
  readonly runBytes: number;
}

interface SharedPage {
  page: Page;
  /** How often it was sent. */
  uses: number;
  /** How many sweeps there had been then. */
  usedAt: number;
  mayBeDeflated: boolean;
}

export interface PageCacheOptions {
  /** For all that is kept. */
  readonly maxBytes: number;
  /** Smaller ones are never deflated; 0: none is. */
  readonly compressMinBytes: number;
  readonly metrics: Pick<Metrics, 'sharedPagesTotal' | 'sharedPageDeflatesTotal'>;
  readonly costs?: CompressionCosts;
}

// What deflate leaves of pages of publications that look alike: of ten host metrics 26 % (design, section 3).
const expectedRatio = 0.3;

/** What an entry takes besides its message, roughly: header, key, place in the map. Pages of one small publication are mostly that. */
const entryBytes = 512;

/**
 * The pages that subscribers were caught up with lately. After an outage thousands come back to a view from about the same
 * position: what the first was sent is framed once for all. When a page has been sent so often that deflating it would have
 * paid, it is deflated for the rest.
 */
export class PageCache {
  readonly #options: PageCacheOptions;
  readonly #costs: CompressionCosts;
  readonly #pages = new LinkedMap<string, SharedPage>();
  #bytes = 0;
  #sweeps = 0;

  constructor(options: PageCacheOptions) {
    this.#options = options;
    this.#costs = options.costs ?? compressionCosts;
  }

  /** Of all that is kept: entries and messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The page behind this position, if somebody was sent it. Not one that there is more behind by now, unless it is full: each flush
   * would make one more page of what is left, and who comes late would get them all.
   */
  find(feed: Feed, after: number): Page | undefined {
    const key = keyOf(feed, after);
    const found = this.#pages.get(key);
    if (found === undefined || found.page.epoch !== feed.topic.epoch) return undefined;
    if (!found.page.isFull && found.page.header.upto !== backlogEnd(feed)) return undefined;
    this.#pages.set(key, found);
    found.uses++;
    found.usedAt = this.#sweeps;
    if (found.mayBeDeflated && this.#pays(found)) this.#deflate(feed, found);
    return found.page;
  }

  /** Keeps a page for others, and answers it: everybody who stands at `after` in this view gets the same. */
  add(feed: Feed, page: Page): Page {
    const mayBeDeflated = this.#mayBeDeflated(feed, page.message.length);
    // A small message stands in a slab of many.
    const isAlone = page.message.length === page.message.buffer.byteLength;
    const kept = isAlone ? page : { ...page, message: page.message.slice() };
    this.#options.metrics.sharedPagesTotal.inc();
    const key = keyOf(feed, page.header.after);
    this.#delete(key);
    this.#pages.set(key, { page: kept, uses: 1, usedAt: this.#sweeps, mayBeDeflated });
    this.#bytes += bytesOf(kept);
    while (this.#bytes > this.#options.maxBytes && this.#pages.oldest !== undefined)
      this.#delete(this.#pages.oldest.key);
    return kept;
  }

  /** Lets go of what nobody has asked for since the last sweep but one. Call it about once a second. */
  sweep(): void {
    this.#sweeps++;
    for (let { oldest } = this.#pages; oldest !== undefined; { oldest } = this.#pages) {
      if (oldest.value.usedAt > this.#sweeps - 2) return;
      this.#delete(oldest.key);
    }
  }

  #mayBeDeflated({ view }: Feed, bytes: number): boolean {
    const { compressMinBytes } = this.#options;
    if (view.options.codec.frameCompressedBatch === undefined) return false;
    return compressMinBytes > 0 && bytes >= compressMinBytes;
  }

  #pays({ page, uses }: SharedPage): boolean {
    return savedNs(this.#costs, page.message.length, expectedRatio, uses, 0) > 0;
  }

  #deflate({ view }: Feed, shared: SharedPage): void {
    const { page } = shared;
    const body = deflateBody(page.message.subarray(page.message.length - page.runBytes));
    const deflated = view.options.codec.frameCompressedBatch?.(page.header, body) ?? page.message;
    this.#options.metrics.sharedPageDeflatesTotal.inc();
    const message = deflated.length < page.message.length ? deflated : page.message;
    shared.page = { ...page, message };
    shared.mayBeDeflated = false;
    this.#bytes += bytesOf(shared.page) - bytesOf(page);
  }

  #delete(key: string): void {
    const shared = this.#pages.get(key);
    if (shared === undefined) return;
    this.#pages.delete(key);
    this.#bytes -= bytesOf(shared.page);
  }
}

function bytesOf({ message }: Page): number {
  return entryBytes + message.length;
}

function keyOf({ view, topic }: Feed, after: number): string {
  return `${view.id} ${after} ${topic.name}`;
}
