import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * Checks the pages of a database file without lmdb, which trusts them: a damaged list of free pages would crash the
 * process, or overwrite pages in use, at some later commit. Layouts: mdb.c of lmdb-js 3.5.6 (`MDB_meta`,
 * `MDB_page_header`, `MDB_node`), 64 bits, little-endian. Free pages as in `mdb_page_alloc`: a count, then pages; -n
 * announces n pages from the next number on.
 */

const magic = 0xbeefc0de;
const headerBytes = 24;
const nodeBytes = 8;
const none = 0xffff_ffff_ffff_ffffn;
const [isBranch, isLeaf, isOverflow] = [1, 2, 4];
const [isBig, isTree] = [1, 2];

interface Tree {
  readonly root: bigint;
  readonly entries: number;
}

interface Meta {
  readonly commit: number;
  readonly pageBytes: number;
  readonly free: Tree;
  readonly main: Tree;
  readonly lastPage: number;
}

/** Returns what is wrong with the pages; undefined: nothing. */
export function pageFault(path: string): string | undefined {
  const fd = openSync(path, 'r');
  try {
    const first = metaOf(read(fd, 0, 4096), 0);
    const second = metaOf(read(fd, first.pageBytes, 4096), 1);
    if (Math.abs(first.commit - second.commit) > 1)
      throw new Error('its first two pages do not belong together');
    new Pages(fd, first.commit > second.commit ? first : second).check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    closeSync(fd);
  }
}

class Pages {
  readonly #fd: number;
  readonly #meta: Meta;
  /** Per page: 1 if it is in use. */
  readonly #used: Uint8Array;
  readonly #free: number[] = [];

  constructor(fd: number, meta: Meta) {
    this.#fd = fd;
    this.#meta = meta;
    if (meta.lastPage * meta.pageBytes > 4 * fstatSync(fd).size + 2 ** 30)
      throw new Error('it is far too short');
    this.#used = new Uint8Array(meta.lastPage + 1);
    this.#used.fill(1, 0, 2);
  }

  check(): void {
    this.#walkTree(this.#meta.free, (value) => this.#noteFree(value));
    this.#walkTree(this.#meta.main, () => undefined);
    for (const page of this.#free) {
      if (page > this.#meta.lastPage)
        throw new Error(`page ${page} is free, though the last one is ${this.#meta.lastPage}`);
      if (this.#used[page] === 1) throw new Error(`page ${page} is free and in use`);
    }
  }

  #walkTree({ root, entries }: Tree, value: (bytes: Buffer) => void): void {
    const count = root === none ? 0 : this.#walk(Number(root), value);
    if (count !== entries) throw new Error(`a tree of ${entries} entries holds ${count}`);
  }

  /** Returns how many entries are below the page. */
  #walk(number: number, value: (bytes: Buffer) => void): number {
    const page = this.#take(number, 1);
    const flags = page.readUInt16LE(18);
    if (flags !== isBranch && flags !== isLeaf) throw new Error(`page ${number} is not a page of a tree`);
    const nodes = page.readUInt16LE(20) >> 1;
    if (flags === isLeaf) {
      for (let i = 0; i < nodes; i++) this.#leaf(page, i, value);
      return nodes;
    }
    let entries = 0;
    for (let i = 0; i < nodes; i++) {
      const at = nodeAt(page, i);
      const child = page.readUInt32LE(at) + page.readUInt16LE(at + 4) * 2 ** 32;
      entries += this.#walk(child, value);
    }
    return entries;
  }

  #leaf(page: Buffer, i: number, value: (bytes: Buffer) => void): void {
    const at = nodeAt(page, i);
    const size = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const from = at + nodeBytes + page.readUInt16LE(at + 6);
    if ((flags & isBig) !== 0) {
      const first = Number(page.readBigUInt64LE(from));
      const pages = Math.ceil((headerBytes + size) / this.#meta.pageBytes);
      value(this.#take(first, pages, isOverflow).subarray(headerBytes, headerBytes + size));
      return;
    }
    if (from + size > page.length) throw new Error('an entry is longer than its page');
    const bytes = page.subarray(from, from + size);
    if ((flags & isTree) !== 0) this.#walkTree(treeOf(bytes, 0), () => undefined);
    else value(bytes);
  }

  /** Notes the free pages of one commit. */
  #noteFree(value: Buffer): void {
    const count = Number(value.readBigUInt64LE(0));
    if ((count + 1) * 8 > value.length) throw new Error('a list of free pages is longer than its entry');
    for (let i = 1; i <= count; i++) {
      const entry = Number(value.readBigInt64LE(i * 8));
      if (entry === 0) continue;
      const first = entry > 0 ? entry : Number(value.readBigInt64LE(++i * 8));
      const length = entry > 0 ? 1 : -entry;
      if (first < 2 || first + length - 1 > this.#meta.lastPage)
        throw new Error(`there is no page ${first} to be free`);
      for (let n = 0; n < length; n++) this.#free.push(first + n);
    }
  }

  /** Reads consecutive pages of one owner. */
  #take(number: number, count: number, flag = 0): Buffer {
    if (number < 2 || number + count - 1 > this.#meta.lastPage) throw new Error(`there is no page ${number}`);
    for (let n = number; n < number + count; n++) {
      if (this.#used[n] === 1) throw new Error(`page ${n} is used twice`);
      this.#used[n] = 1;
    }
    const { pageBytes } = this.#meta;
    const bytes = read(this.#fd, number * pageBytes, count * pageBytes);
    if (Number(bytes.readBigUInt64LE(0)) !== number) throw new Error(`page ${number} has another number`);
    if (flag !== 0 && bytes.readUInt16LE(18) !== flag) throw new Error(`page ${number} is of another kind`);
    return bytes;
  }
}

function nodeAt(page: Buffer, i: number): number {
  return headerBytes + page.readUInt16LE(headerBytes + 2 * i);
}

function metaOf(page: Buffer, number: number): Meta {
  if (page.readUInt32LE(24) !== magic) throw new Error(`page ${number} is not one of a database`);
  const pageBytes = page.readUInt32LE(48);
  if (pageBytes < 512 || pageBytes > 65_536) throw new Error(`page ${number} names no size of pages`);
  return {
    commit: Number(page.readBigUInt64LE(152)),
    pageBytes,
    free: treeOf(page, 48),
    main: treeOf(page, 96),
    lastPage: Number(page.readBigUInt64LE(144)),
  };
}

function treeOf(bytes: Buffer, at: number): Tree {
  return { entries: Number(bytes.readBigUInt64LE(at + 32)), root: bytes.readBigUInt64LE(at + 40) };
}

function read(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(fd, bytes, 0, length, at) !== length) throw new Error(`it ends before byte ${at + length}`);
  return bytes;
}
