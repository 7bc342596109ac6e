import type { Log } from '../log.ts';
import type { CallTable, NodeHandlers, OtherNodes } from '../other-nodes.ts';
import type { NodeBus } from '../topics/engine.ts';
import type { SharedOptions, ToldOptions } from './shared-options.ts';
import { Strangers } from './strangers.ts';

/** A machine that has not replied after this time is counted without. */
const replyWithinMs = 1000;

/**
 * The version of the messages on the bus. Added fields and names need no new version: a gateway that does not know them
 * ignores them. A message that a gateway of this version would misread takes the next one, and is ignored by this one.
 */
const protocolVersion = 1;

/** By this name machines tell each other their options. */
const optionsCall = 'options';

/** The messages on the bus, as JSON, each with the `version` of the protocol. */
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

interface WithVersion {
  /** Absent: 1. */
  readonly version?: number;
}

interface Question {
  readonly missing: Set<string>;
  readonly replies: unknown[];
  readonly resolve: (replies: unknown[]) => void;
  readonly timer: NodeJS.Timeout;
}

/** Handles what other machines tell and ask. Nodes have the names of `BusLine.nameOf`. */
export interface LineListener {
  /** Whether this version knows what is told or asked by this name. */
  knows(name: string): boolean;
  /** Throws, or returns a promise that rejects, if it does not understand the body. */
  told(name: string, body: unknown, from: string): unknown;
  /** Resolves with the replies of all nodes of this machine that reply. */
  asked(name: string, body: unknown, from: string): Promise<readonly unknown[]>;
  /** Machines came, or came back, or forgot this one: they know nothing of it, nor it of those that came. */
  came(): void;
  /** A node is gone; or a machine, and all nodes on it. */
  gone(node: string): void;
}

/**
 * The other machines, reached by the bus of the engine that they share. A machine has one node, or several processes.
 */
export class BusLine {
  readonly #bus: NodeBus;
  readonly #questions = new Map<number, Question>();
  #others: ReadonlySet<string> = new Set();
  readonly #strangers: Strangers;
  readonly #options: SharedOptions | undefined;
  #asked = 0;
  #listener: LineListener | undefined;

  /** `options`: those that others should have, too. */
  constructor(bus: NodeBus, log: Pick<Log, 'warn'>, options?: SharedOptions) {
    this.#bus = bus;
    this.#options = options;
    this.#strangers = new Strangers(log);
  }

  /** The names of the other machines that can be reached. */
  get others(): Iterable<string> {
    return this.#others;
  }

  /** The number of machines that can be reached, with this one. */
  get machineCount(): number {
    return this.#others.size + 1;
  }

  /** What others call this machine, or one of its processes. */
  nameOf(by?: string): string {
    return nameOf(this.#bus.node, by);
  }

  /** Call it before the engine is opened. */
  listen(listener: LineListener): void {
    this.#listener = listener;
    this.#bus.listen({
      message: (text, from) => this.#read(text, from),
      nodes: (names) => this.#know(new Set(names)),
      returned: () => this.#listener?.came(),
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

  /** A message of another version must not stop this gateway. */
  #read(text: string, from: string): void {
    let message: Message & WithVersion;
    try {
      message = decode(text);
    } catch {
      this.#strangers.ignore('no JSON', from);
      return;
    }
    const { version = 1, kind } = message;
    if (version > protocolVersion) this.#strangers.ignore(`version ${version}`, from);
    else if (!Object.hasOwn(this.#hearers, kind)) this.#strangers.ignore(`kind ${kind}`, from);
    else {
      const name = 'name' in message ? message.name : kind;
      this.#strangers.guard(name, from, () => this.#hearers[kind](message as never, from));
    }
  }

  readonly #hearers: {
    readonly [K in Message['kind']]: (message: Extract<Message, { kind: K }>, from: string) => unknown;
  } = {
    tell: ({ name, body, by }, from) => {
      if (name === optionsCall) return this.#options?.heard(body as ToldOptions, from);
      return this.#knows(name, from) && this.#listener?.told(name, body, nameOf(from, by));
    },
    ask: (message, from) => this.#answer(message, from),
    gone: ({ by }, from) => this.#listener?.gone(nameOf(from, by)),
    reply: (message, from) => {
      if (message.to === this.#bus.node) this.#take(message, from);
    },
  };

  #knows(name: string, from: string): boolean {
    if (this.#listener?.knows(name) === true) return true;
    this.#strangers.ignore(`name ${name}`, from);
    return false;
  }

  async #answer({ id, name, body, by }: Extract<Message, { kind: 'ask' }>, from: string): Promise<void> {
    const isKnown = this.#knows(name, from);
    const replies = (isKnown && (await this.#listener?.asked(name, body, nameOf(from, by)))) || [];
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
        if (this.#options !== undefined) this.tell(optionsCall, this.#options.told);
        return;
      }
  }

  #forget(node: string): void {
    this.#listener?.gone(node);
    for (const [id, { missing }] of [...this.#questions])
      if (missing.delete(node) && missing.size === 0) this.#settle(id);
  }
}

/** The other nodes, for a gateway of one process. */
export function otherNodesBy<C extends CallTable<C>>(line: BusLine): OtherNodes<C> {
  return {
    tell: (name, body) => line.tell(name, body),
    ask: (name, body) => line.ask(name, body) as Promise<never>,
  };
}

/** Answers for such a gateway what other machines tell and ask. */
export function answeredBy<C extends CallTable<C>>(
  handlers: NodeHandlers<C>,
): Pick<LineListener, 'knows' | 'told' | 'asked'> {
  const handlerOf = (name: string) => handlers[name as keyof C] as (body: unknown, from: string) => unknown;
  return {
    knows: (name) => Object.hasOwn(handlers, name),
    told: (name, body, from) => handlerOf(name)(body, from),
    asked: async (name, body, from) => {
      try {
        return [await handlerOf(name)(body, from)];
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

/** Stands for `undefined`, which JSON can't express and which differs from null. */
const isUndefined = '$undefined';
/** A text of this form, such as the name of a user, is sent with one more `$` before it. */
const isLikeIt = /^\$+undefined$/;

function encode(message: Message): string {
  const versioned: Message & WithVersion = { ...message, version: protocolVersion };
  return JSON.stringify(versioned, (_, value) => {
    if (value === undefined) return isUndefined;
    return typeof value === 'string' && isLikeIt.test(value) ? `$${value}` : value;
  });
}

function decode(text: string): Message & WithVersion {
  const message: unknown = JSON.parse(text, (_, value) => {
    if (value === isUndefined) return undefined;
    return typeof value === 'string' && isLikeIt.test(value) ? value.slice(1) : value;
  });
  if (typeof message !== 'object' || message === null) throw new TypeError('no message');
  return message as Message & WithVersion;
}
