import type { TopicPosition } from '../../protocol/frames.ts';
import { type Beginning, beginning, type Whereabouts } from './starting-point.ts';
import type { LocalSubscription } from './subscription.ts';

/** Where members want to begin that the gateway has not granted yet, and where it was asked to begin last. */
export class StartRequest {
  readonly #isPattern: boolean;
  readonly #unserved = new Set<LocalSubscription>();
  #asked: readonly LocalSubscription[] = [];
  #starts: readonly TopicPosition[] = [];
  #cursor: string | undefined;

  constructor(isPattern: boolean) {
    this.#isPattern = isPattern;
  }

  add(member: LocalSubscription): void {
    this.#unserved.add(member);
  }

  delete(member: LocalSubscription): void {
    this.#unserved.delete(member);
  }

  has(member: LocalSubscription): boolean {
    return this.#unserved.has(member);
  }

  get isEmpty(): boolean {
    return this.#unserved.size === 0;
  }

  /** A pattern's cursor that was asked for last. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** The position of the topic that was asked for last. */
  startOf(topic: string): TopicPosition | undefined {
    return this.#starts.find((position) => position.topic === topic);
  }

  /** Whether a member wanted to go back to the cursor that was asked for. */
  get goesBack(): boolean {
    return this.#asked.some(({ options }) => options.cursor === this.#cursor);
  }

  /** One cursor at a time: members of a pattern that want another one are served after this one. */
  ask(at: Whereabouts): Beginning['wire'] {
    const unserved = [...this.#unserved];
    const { wire, starts } = beginning(
      at,
      unserved.map(({ options }) => options),
    );
    this.#starts = starts;
    this.#cursor = this.#isPattern ? wire.cursor : undefined;
    const isServed = ({ options: { cursor } }: LocalSubscription) =>
      !this.#isPattern || cursor === undefined || cursor === wire.cursor;
    this.#asked = unserved.filter(isServed);
    return wire;
  }

  granted(): void {
    for (const member of this.#asked) this.#unserved.delete(member);
  }
}
