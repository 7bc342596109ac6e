import type { PeerCalls, PeerHandlers, Peers } from '../peers.ts';
import type { NodeBus } from '../topics/engine.ts';

/** A node that has not replied after this time is counted without. */
const replyWithinMs = 1000;

/** What goes over the bus, as JSON. */
type Message =
  | { readonly kind: 'tell'; readonly name: string; readonly body: unknown }
  | { readonly kind: 'ask'; readonly id: number; readonly name: string; readonly body: unknown }
  | { readonly kind: 'reply'; readonly id: number; readonly to: string; readonly reply: unknown }
  | { readonly kind: 'none'; readonly id: number; readonly to: string };

interface Question {
  readonly missing: Set<string>;
  readonly replies: unknown[];
  readonly resolve: (replies: unknown[]) => void;
  readonly timer: NodeJS.Timeout;
}

/** What a node does when it hears of others. */
export interface BusPeersOptions<C extends PeerCalls<C>> {
  readonly handlers: PeerHandlers<C>;
  /** Some came, or came back: they know nothing of this node, nor this one of them. */
  readonly came: () => void;
  readonly gone: (node: string) => void;
}

/** Other nodes by the bus of the engine that they share. */
export class BusPeers<C extends PeerCalls<C>> implements Peers<C> {
  readonly node: string;
  readonly #bus: NodeBus;
  readonly #questions = new Map<number, Question>();
  #others: ReadonlySet<string> = new Set();
  #asked = 0;
  #options: BusPeersOptions<C> | undefined;

  constructor(bus: NodeBus) {
    this.node = bus.node;
    this.#bus = bus;
  }

  /** Before the engine is opened. */
  serve(options: BusPeersOptions<C>): void {
    this.#options = options;
    this.#bus.listen({
      message: (text, from) => this.#hear(decode(text), from),
      nodes: (names) => this.#know(new Set(names)),
    });
  }

  tell<N extends keyof C & string>(name: N, body: Parameters<C[N]>[0]): void {
    if (this.#others.size > 0) this.#bus.send(encode({ kind: 'tell', name, body }));
  }

  async ask<N extends keyof C & string>(
    name: N,
    body: Parameters<C[N]>[0],
  ): Promise<readonly Awaited<ReturnType<C[N]>>[]> {
    if (this.#others.size === 0) return [];
    const id = ++this.#asked;
    if (!this.#bus.send(encode({ kind: 'ask', id, name, body }))) return [];
    const replies = await new Promise<unknown[]>((resolve) => {
      const timer = setTimeout(() => this.#settle(id), replyWithinMs);
      this.#questions.set(id, { missing: new Set(this.#others), replies: [], resolve, timer });
    });
    return replies as Awaited<ReturnType<C[N]>>[];
  }

  #hear(message: Message, from: string): void {
    if (message.kind === 'tell') void this.#handle(message, from);
    else if (message.kind === 'ask') void this.#answer(message, from);
    else if (message.to === this.node) this.#take(message, from);
  }

  async #answer(question: Extract<Message, { kind: 'ask' }>, from: string): Promise<void> {
    const { id } = question;
    try {
      const reply = await this.#handle(question, from);
      this.#bus.send(encode({ kind: 'reply', id, to: from, reply }));
    } catch {
      this.#bus.send(encode({ kind: 'none', id, to: from }));
    }
  }

  #handle({ name, body }: { readonly name: string; readonly body: unknown }, from: string): unknown {
    const handlers = this.#options?.handlers as Readonly<Record<string, unknown>> | undefined;
    const handler = handlers !== undefined && Object.hasOwn(handlers, name) ? handlers[name] : undefined;
    // Another version may ask what this one does not know.
    if (typeof handler !== 'function') throw new Error(`asked ${name}, which is unknown here`);
    return handler(body, from);
  }

  #take(message: Extract<Message, { kind: 'reply' | 'none' }>, from: string): void {
    const question = this.#questions.get(message.id);
    if (question === undefined || !question.missing.delete(from)) return;
    if (message.kind === 'reply') question.replies.push(message.reply);
    if (question.missing.size === 0) this.#settle(message.id);
  }

  #settle(id: number): void {
    const question = this.#questions.get(id);
    if (question === undefined) return;
    this.#questions.delete(id);
    clearTimeout(question.timer);
    question.resolve(question.replies);
  }

  #know(others: ReadonlySet<string>): void {
    const before = this.#others;
    this.#others = others;
    for (const node of before) if (!others.has(node)) this.#forget(node);
    for (const node of others)
      if (!before.has(node)) {
        this.#options?.came();
        return;
      }
  }

  #forget(node: string): void {
    this.#options?.gone(node);
    for (const [id, { missing }] of [...this.#questions])
      if (missing.delete(node) && missing.size === 0) this.#settle(id);
  }
}

/** JSON has no word for what is undefined, which is not the same as null. */
const isUndefined = '$undefined';

function encode(message: Message): string {
  return JSON.stringify(message, (_, value) => (value === undefined ? isUndefined : value));
}

function decode(text: string): Message {
  return JSON.parse(text, (_, value) => (value === isUndefined ? undefined : value)) as Message;
}
