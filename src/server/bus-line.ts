import type { PeerCalls, PeerHandlers, Peers } from '../peers.ts';
import type { NodeBus } from '../topics/engine.ts';

/** A machine that has not replied after this time is counted without. */
const replyWithinMs = 1000;

/** The messages on the bus, as JSON. */
type Message =
  | { readonly kind: 'tell'; readonly name: string; readonly body: unknown; readonly by?: string }
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly name: string;
      readonly body: unknown;
      readonly by?: string;
    }
  | { readonly kind: 'reply'; readonly id: number; readonly to: string; readonly replies: readonly unknown[] }
  | { readonly kind: 'gone'; readonly by: string };

interface Question {
  readonly missing: Set<string>;
  readonly replies: unknown[];
  readonly resolve: (replies: unknown[]) => void;
  readonly timer: NodeJS.Timeout;
}

/** What a machine does when it hears of others. Nodes are named as `BusLine.nameOf` says. */
export interface LineListener {
  told(name: string, body: unknown, from: string): void;
  /** Resolves with the replies of all nodes of this machine that reply. */
  asked(name: string, body: unknown, from: string): Promise<readonly unknown[]>;
  /** Machines came, or came back: they know nothing of this one, nor this one of them. */
  came(): void;
  /** A node is gone; or a machine, and all nodes on it. */
  gone(node: string): void;
}

/** Other machines by the bus of the engine that they share. Each has one node, or several processes. */
export class BusLine {
  readonly #bus: NodeBus;
  readonly #questions = new Map<number, Question>();
  #others: ReadonlySet<string> = new Set();
  #asked = 0;
  #listener: LineListener | undefined;

  constructor(bus: NodeBus) {
    this.#bus = bus;
  }

  /** The machines that can be heard, this one among them. */
  get machineCount(): number {
    return this.#others.size + 1;
  }

  /** What others call this machine, or one of its processes. */
  nameOf(by?: string): string {
    return nameOf(this.#bus.node, by);
  }

  /** Before the engine is opened. */
  listen(listener: LineListener): void {
    this.#listener = listener;
    this.#bus.listen({
      message: (text, from) => this.#hear(decode(text), from),
      nodes: (names) => this.#know(new Set(names)),
    });
  }

  /** Tells all other machines. */
  tell(name: string, body: unknown, by?: string): void {
    if (this.#others.size > 0) this.#bus.send(encode({ kind: 'tell', name, body, ...byOf(by) }));
  }

  /** Asks all other machines. Resolves with the replies of those that reply; never rejects. */
  async ask(name: string, body: unknown, by?: string): Promise<readonly unknown[]> {
    if (this.#others.size === 0) return [];
    const id = ++this.#asked;
    if (!this.#bus.send(encode({ kind: 'ask', id, name, body, ...byOf(by) }))) return [];
    return new Promise<unknown[]>((resolve) => {
      const timer = setTimeout(() => this.#settle(id), replyWithinMs);
      this.#questions.set(id, { missing: new Set(this.#others), replies: [], resolve, timer });
    });
  }

  /** One of the processes of this machine has ended. */
  gone(by: string): void {
    if (this.#others.size > 0) this.#bus.send(encode({ kind: 'gone', by }));
  }

  #hear(message: Message, from: string): void {
    if (message.kind === 'tell') this.#listener?.told(message.name, message.body, nameOf(from, message.by));
    else if (message.kind === 'ask') void this.#answer(message, from);
    else if (message.kind === 'gone') this.#listener?.gone(nameOf(from, message.by));
    else if (message.to === this.#bus.node) this.#take(message, from);
  }

  async #answer({ id, name, body, by }: Extract<Message, { kind: 'ask' }>, from: string): Promise<void> {
    const replies = (await this.#listener?.asked(name, body, nameOf(from, by))) ?? [];
    this.#bus.send(encode({ kind: 'reply', id, to: from, replies }));
  }

  #take(message: Extract<Message, { kind: 'reply' }>, from: string): void {
    const question = this.#questions.get(message.id);
    if (question === undefined || !question.missing.delete(from)) return;
    question.replies.push(...message.replies);
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
        this.#listener?.came();
        return;
      }
  }

  #forget(node: string): void {
    this.#listener?.gone(node);
    for (const [id, { missing }] of [...this.#questions])
      if (missing.delete(node) && missing.size === 0) this.#settle(id);
  }
}

/** The peers of a gateway that is one process. */
export function peersBy<C extends PeerCalls<C>>(line: BusLine): Peers<C> {
  return {
    tell: (name, body) => line.tell(name, body),
    ask: (name, body) => line.ask(name, body) as Promise<never>,
  };
}

/** Such a gateway, as others ask and tell it. */
export function answeredBy<C extends PeerCalls<C>>(
  handlers: PeerHandlers<C>,
): Pick<LineListener, 'told' | 'asked'> {
  const handlerOf = (name: string) =>
    // Another version may say what this one does not know.
    (Object.hasOwn(handlers, name) ? handlers[name as keyof C] : undefined) as
      | ((body: unknown, from: string) => unknown)
      | undefined;
  return {
    told: (name, body, from) => void handlerOf(name)?.(body, from),
    asked: async (name, body, from) => {
      const handler = handlerOf(name);
      if (handler === undefined) return [];
      try {
        return [await handler(body, from)];
      } catch {
        return [];
      }
    },
  };
}

function nameOf(node: string, by: string | undefined): string {
  return by === undefined ? node : `${node}/${by}`;
}

function byOf(by: string | undefined): { readonly by?: string } {
  return by === undefined ? {} : { by };
}

/** JSON has no word for what is undefined, which is not the same as null. */
const isUndefined = '$undefined';

function encode(message: Message): string {
  return JSON.stringify(message, (_, value) => (value === undefined ? isUndefined : value));
}

function decode(text: string): Message {
  return JSON.parse(text, (_, value) => (value === isUndefined ? undefined : value)) as Message;
}
