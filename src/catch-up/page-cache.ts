import { type CompressionCosts, compressionCosts, savedNs } from '../fanout/compression-cost.ts';
import type { Feed } from '../fanout/view.ts';
import type { Metrics } from '../metrics.ts';
import { deflateBody } from '../protocol/compression.ts';
import { plainMaxBytes } from '../protocol/inflate.ts';
import { LinkedMap } from '../topics/linked-map.ts';
import type { Page } from './page.ts';
import { catchUpTarget } from './topic-backlog.ts';

interface SharedPage {
  page: Page;
  /** How often it was sent. */
  uses: number;
  /** The number of sweeps at its last use. */
  usedInSweep: number;
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

/**
 * Roughly what a page takes besides its message: header, key, place in the map. Pages of one small publication are
 * mostly that.
 */
const pageOverheadBytes = 512;

/**
 * Pages that subscribers were caught up with lately. After an outage thousands of clients return to a view after
 * about the same position: a page is framed once for all of them. A page that was sent often enough for compression
 * to pay is deflated for the rest.
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

  /** The bytes of all pages, with their overhead. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The page after this position, if it is kept and either full or still up to date. A short page that is out of date
   * would have to be followed by one more for each flush since.
   */
  find(feed: Feed, after: number): Page | undefined {
    const key = keyOf(feed, after);
    const shared = this.#pages.get(key);
    if (shared === undefined || shared.page.epoch !== feed.topic.epoch) return undefined;
    if (!shared.page.isFull && shared.page.header.upto !== catchUpTarget(feed)) return undefined;
    this.#pages.set(key, shared);
    shared.uses++;
    shared.usedInSweep = this.#sweeps;
    if (shared.mayBeDeflated && this.#pays(shared)) this.#deflate(feed, shared);
    return shared.page;
  }

  /**
   * Keeps a page for all subscribers of the view that continue after `header.after`. Returns the page as it is kept.
   */
  add(feed: Feed, page: Page): Page {
    const mayBeDeflated = this.#mayBeDeflated(feed, page.message.length);
    // A small message shares its slab with others, which keeping it would keep alive.
    const isAlone = page.message.length === page.message.buffer.byteLength;
    const lastingPage = isAlone ? page : { ...page, message: page.message.slice() };
    this.#options.metrics.sharedPagesTotal.inc();
    const key = keyOf(feed, page.header.after);
    this.#delete(key);
    this.#pages.set(key, { page: lastingPage, uses: 1, usedInSweep: this.#sweeps, mayBeDeflated });
    this.#bytes += bytesOf(lastingPage);
    while (this.#bytes > this.#options.maxBytes && this.#pages.oldest !== undefined)
      this.#delete(this.#pages.oldest.key);
    return lastingPage;
  }

  /** Drops the pages that were not asked for since the last sweep but one. Call it about once a second. */
  sweep(): void {
    this.#sweeps++;
    for (let { oldest } = this.#pages; oldest !== undefined; { oldest } = this.#pages) {
      if (oldest.value.usedInSweep > this.#sweeps - 2) return;
      this.#delete(oldest.key);
    }
  }

  #mayBeDeflated({ view }: Feed, bytes: number): boolean {
    const { compressMinBytes } = this.#options;
    if (view.options.codec.frameCompressedBatch === undefined) return false;
    return compressMinBytes > 0 && bytes >= compressMinBytes && bytes <= plainMaxBytes;
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
  return pageOverheadBytes + message.length;
}

function keyOf({ view, topic }: Feed, after: number): string {
  return `${view.id} ${after} ${topic.name}`;
}
