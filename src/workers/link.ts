import { SluiceError } from '../errors.ts';
import { Numbered } from '../topics/numbered.ts';
import { type Channel, encodeBytes, encodeMessage } from './channel.ts';
import { type PackedError, packError, unpackError } from './packed-error.ts';

/** The calls that one side of a link offers: by name, a function from the body of the call to its reply. */
export type Calls<C> = { readonly [N in keyof C]: (body: never) => unknown };

/** A handler for each call. It may return a promise; what it throws reaches the caller. */
export type Handlers<C extends Calls<C>> = {
  readonly [N in keyof C]: (
    body: Parameters<C[N]>[0],
  ) => ReturnType<C[N]> | Promise<Awaited<ReturnType<C[N]>>>;
};

interface Pending {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** An error in a message. */
type WireError = PackedError | { readonly message: string };

type Message =
  | readonly [kind: 'tell', name: string, body: unknown]
  | readonly [kind: 'ask', id: number, name: string, body: unknown]
  | readonly [kind: 'reply', id: number, reply: unknown]
  | readonly [kind: 'failed', id: number, error: WireError];

/** The number of bytes that are told; those of a question have one more than its id. */
const toldId = 0;

/** A message to be told over several links. Bytes travel as they are, as do those of questions and replies. */
export function encodeTold(name: string, body: unknown): Buffer {
  if (body instanceof Uint8Array) return encodeBytes(toldId, name, body);
  return encodeMessage(['tell', name, body] satisfies Message);
}

/**
 * Questions and news between two processes. Both arrive in the order in which they were sent; a reply comes after
 * everything that the other side had sent before it.
 */
export class Link<Mine extends Calls<Mine>, Theirs extends Calls<Theirs>> {
  readonly channel: Channel;
  readonly #pending = new Numbered<Pending>();
  #handlers: Handlers<Mine> | undefined;
  #closedBy: Error | undefined;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /** From now on the other side's questions and news are handled. */
  listen(handlers: Handlers<Mine>): void {
    this.#handlers = handlers;
    this.channel.listen({
      message: (message) => this.#receive(message as Message),
      bytes: (number, name, body) => {
        if (this.#closedBy !== undefined) return;
        if (number === toldId) this.#handle(name, body);
        else if (name === '') this.#settle(number - 1, ({ resolve }) => resolve(body));
        else this.#reply(number - 1, name, body);
      },
    });
  }

  tell<N extends keyof Theirs & string>(name: N, body: Parameters<Theirs[N]>[0]): void {
    if (this.#closedBy === undefined) this.channel.sendEncoded(encodeTold(name, body));
  }

  /** Rejects with what the other side throws, or with the reason of `close`. */
  ask<N extends keyof Theirs & string>(
    name: N,
    body: Parameters<Theirs[N]>[0],
  ): Promise<Awaited<ReturnType<Theirs[N]>>> {
    if (this.#closedBy !== undefined) return Promise.reject(this.#closedBy);
    let id = 0;
    const reply = new Promise<unknown>((resolve, reject) => {
      id = this.#pending.add({ resolve, reject });
    });
    const asked: unknown = body;
    if (asked instanceof Uint8Array) this.channel.sendEncoded(encodeBytes(id + 1, name, asked));
    else this.channel.send(['ask', id, name, body] satisfies Message);
    return reply as Promise<Awaited<ReturnType<Theirs[N]>>>;
  }

  /** The other side is gone, or no reply of it is wanted any more. */
  close(reason: Error): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = reason;
    this.channel.close();
    for (const { reject } of this.#pending.removeAll()) reject(reason);
  }

  #receive(message: Message): void {
    if (this.#closedBy !== undefined) return;
    switch (message[0]) {
      case 'tell':
        this.#handle(message[1], message[2]);
        return;
      case 'ask':
        this.#reply(message[1], message[2], message[3]);
        return;
      case 'reply':
        this.#settle(message[1], ({ resolve }) => resolve(message[2]));
        return;
      case 'failed':
        this.#settle(message[1], ({ reject }) => reject(errorOf(message[2])));
    }
  }

  #reply(id: number, name: string, body: unknown): void {
    const failed = (error: unknown) => this.channel.send(['failed', id, wireError(error)] satisfies Message);
    try {
      const reply = this.#handle(name, body);
      if (reply instanceof Promise) reply.then((value) => this.#sendReply(id, value), failed);
      else this.#sendReply(id, reply);
    } catch (error) {
      failed(error);
    }
  }

  #sendReply(id: number, reply: unknown): void {
    if (reply instanceof Uint8Array) this.channel.sendEncoded(encodeBytes(id + 1, '', reply));
    else this.channel.send(['reply', id, reply] satisfies Message);
  }

  #handle(name: string, body: unknown): unknown {
    return (this.#handlers as Handlers<Mine>)[name as keyof Mine](body as never);
  }

  #settle(id: number, settle: (pending: Pending) => void): void {
    settle(this.#pending.remove(id));
  }
}

function wireError(error: unknown): WireError {
  if (error instanceof SluiceError) return packError(error);
  return { message: error instanceof Error ? error.message : String(error) };
}

function errorOf(error: WireError): Error {
  return 'code' in error ? unpackError(error) : new Error(error.message);
}
