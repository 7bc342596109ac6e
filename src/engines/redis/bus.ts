import type { BusListener, NodeBus } from '../../topics/engine.ts';
import { isAfter } from './log.ts';

const nodeName = /^[\w-]{1,64}$/;

/** Where the messages of nodes are sent; undefined: Redis is away. */
type Send = (text: string) => void;

type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

/**
 * Messages between the gateways of one Redis, by a stream of their own that each reads with the log. A node that was
 * away for a moment reads what was sent meanwhile.
 */
export class RedisBus implements NodeBus {
  readonly node: string;
  readonly #send: () => Send | undefined;
  #listener: BusListener | undefined;
  #last: string | undefined;
  /** The other nodes. */
  #nodes: readonly string[] = [];

  constructor(node: string, send: () => Send | undefined) {
    this.node = node;
    this.#send = send;
  }

  /** The message that was read last. */
  get last(): string {
    return this.#last ?? '0-0';
  }

  /**
   * Continues at a server. Ids go by its clock: those of a server that has lost messages may begin below the one that
   * was read last. `newest`: of its messages; `isEmptied`: it has lost everything, so that none of them was read.
   */
  continue(newest: string, isEmptied: boolean): void {
    if (this.#last !== undefined && !isAfter(this.#last, newest)) return;
    this.#last = this.#last !== undefined && isEmptied ? '0-0' : newest;
  }

  listen(listener: BusListener): void {
    this.#listener = listener;
  }

  send(text: string): boolean {
    const send = this.#send();
    send?.(text);
    return send !== undefined;
  }

  /** The nodes that are alive, this one among them. `wasGone`: this one did not count as alive. */
  heardOf(names: readonly string[], wasGone = false): void {
    this.#know(names);
    if (wasGone) this.#listener?.returned();
  }

  #know(names: readonly string[]): void {
    const others = names.filter((name) => name !== this.node).sort();
    if (others.join() === this.#nodes.join()) return;
    this.#nodes = others;
    this.#listener?.nodes(others);
  }

  /** `entries`: as XREAD replies. Calls `foreign` for an entry that no node has written. */
  read(entries: readonly unknown[], foreign: () => void): void {
    for (const [id, [, from, , text]] of entries as readonly Entry[]) {
      this.#last = id.toString();
      const name = from?.toString() ?? '';
      if (text === undefined || !nodeName.test(name)) {
        foreign();
        continue;
      }
      if (name === this.node) continue;
      // A node that joined since the last greeting.
      if (!this.#nodes.includes(name)) this.#know([...this.#nodes, name]);
      this.#listener?.message(text.toString(), name);
    }
  }
}
