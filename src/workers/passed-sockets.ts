import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';

/** The listener of the parent that accepted a connection. */
export type ParentListener = 'unix' | 'proxy';

interface Taker {
  readonly child: Pick<ChildProcess, 'send'>;
}

/**
 * The parent's side: gives each connection that it accepts to the next worker. It is for sockets that several processes
 * can't listen on together. It reads nothing of the connections and keeps none.
 */
export class SocketPasser {
  readonly #takers: Taker[] = [];
  #next = 0;

  /** From now on this worker is given connections. Returns a function that ends this. */
  add(child: Taker['child']): () => void {
    const taker = { child };
    this.#takers.push(taker);
    return () => {
      const at = this.#takers.indexOf(taker);
      if (at >= 0) this.#takers.splice(at, 1);
    };
  }

  /** Where no worker takes it, the connection ends. */
  pass(listener: ParentListener, socket: Socket): void {
    this.#try(listener, socket, this.#takers.length);
  }

  #try(listener: ParentListener, socket: Socket, attempts: number): void {
    const taker = this.#takers[this.#next++ % this.#takers.length];
    if (taker === undefined || attempts === 0) {
      socket.destroy();
      return;
    }
    taker.child.send(listener, socket, { keepOpen: false }, (error) => {
      if (error !== null) this.#try(listener, socket, attempts - 1);
    });
  }
}

/** A worker's side: takes the connections that its parent gives it. */
export function takePassed(take: (listener: ParentListener, socket: Socket) => void): void {
  process.on('message', (listener, socket) => {
    // A connection may have ended on its way.
    if (socket instanceof Socket) take(listener as ParentListener, socket);
  });
}
