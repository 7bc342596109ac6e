import { SluiceError } from '../errors.ts';
import type { PublishFields } from '../protocol/frames.ts';
import type { StateRoom } from './content-budget.ts';
import type { Payer } from './payer.ts';
import { bytesOf } from './publication.ts';
import { stateMaxKeys, valueBytesOf } from './state.ts';
import type { Topic } from './topic.ts';
import { isReserved } from './topic-name.ts';
import type { TopicPlaces } from './topic-places.ts';

type Places = Pick<TopicPlaces, 'room' | 'bytesOf' | 'beginProblem'>;

/** Keys of one topic that one call writes. */
interface TakenKeys {
  /** The cost of each value, in bytes. */
  readonly bytes: Map<string, number>;
  /** Keys that the topic does not have yet. */
  added: number;
}

/**
 * Keeps the publishes of one call, together with what is there, within the limits of topics, keys and states: none of
 * them is applied before all have been looked at. Sluice's own topics always have room.
 */
export class StorageLimits {
  readonly #places: Places;
  readonly #content: { stateRoom(payer: Payer | undefined): StateRoom };
  readonly #payer: Payer | undefined;
  // Made when they are needed: a publish to a stream topic that exists needs neither.
  #topics: Set<string> | undefined;
  #room: ReturnType<Places['room']> | undefined;
  #topicBytes = 0;
  #tooFast: SluiceError | undefined;
  #taken: Map<string, TakenKeys> | undefined;
  #state: StateRoom | undefined;
  #stateBytes = 0;

  constructor(
    places: Places,
    content: { stateRoom(payer: Payer | undefined): StateRoom },
    payer: Payer | undefined,
  ) {
    this.#places = places;
    this.#content = content;
    this.#payer = payer;
  }

  /** Topics that took a place; undefined: none did. */
  get begun(): ReadonlySet<string> | undefined {
    return this.#topics;
  }

  /** Takes a place for a topic that does not exist yet. Returns why there is none, or undefined. */
  topicProblem(name: string): SluiceError | undefined {
    this.#topics ??= new Set();
    if (isReserved(name) || this.#topics.has(name)) return undefined;
    this.#room ??= this.#places.room(this.#payer);
    const { topics, bytes, isShare } = this.#room;
    const more = this.#places.bytesOf(name);
    if (this.#topics.size >= topics)
      return new SluiceError(
        'too_many_topics',
        isShare ? 'this client has reached its maximum number of topics' : undefined,
      );
    if (this.#topicBytes + more > bytes)
      return new SluiceError('too_many_topics', 'the topics of this client take as much memory as they may');
    // The wait may end between two publishes of this call: a later one would overtake those that are to be sent again.
    const tooFast = this.#places.beginProblem(name, this.#payer, this.#tooFast);
    if (tooFast !== undefined) {
      this.#tooFast = tooFast;
      return tooFast;
    }
    this.#topics.add(name);
    this.#topicBytes += more;
    return undefined;
  }

  /**
   * Takes the space for a value of a state topic. Returns why there is none, or undefined. `topic`: undefined if it
   * does not exist yet.
   */
  valueProblem(fields: PublishFields, topic: Topic | undefined): SluiceError | undefined {
    if (fields.removed === true) return undefined;
    const key = fields.key ?? '';
    const taken = this.#takenOf(fields.topic);
    const held = topic?.state?.get(key);
    const before = taken.bytes.get(key) ?? (held && valueBytesOf(held.bytes));
    if (before === undefined && (topic?.state?.size ?? 0) + taken.added >= stateMaxKeys)
      return new SluiceError('too_many_keys');
    const bytes = valueBytesOf(bytesOf(fields));
    const more = bytes - (before ?? 0);
    if (more > 0 && this.#stateBytes + more > this.#stateRoom.bytes)
      return new SluiceError(
        'too_many_keys',
        this.#stateRoom.isShare
          ? 'the values of this client, or of all state topics, are as large as they may be'
          : 'the values of all state topics are as large as they may be',
      );
    this.#stateBytes += more;
    taken.bytes.set(key, bytes);
    if (before === undefined) taken.added++;
    return undefined;
  }

  get #stateRoom(): StateRoom {
    this.#state ??= this.#content.stateRoom(this.#payer);
    return this.#state;
  }

  #takenOf(topic: string): TakenKeys {
    this.#taken ??= new Map();
    let taken = this.#taken.get(topic);
    if (taken === undefined) {
      taken = { bytes: new Map(), added: 0 };
      this.#taken.set(topic, taken);
    }
    return taken;
  }
}
