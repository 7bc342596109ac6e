import type { ServerKinds } from '../../../protocol/server-frames.ts';
import type { ReceivedPublication } from '../../publication.ts';
import type { Keyed, Member, Shared } from '../member.ts';
import type { StateMap } from '../subscription.ts';

/** The keys of a subscription on the wire: those wanted, those sent to the gateway, those of the view. */
export class KeyedView implements Keyed {
  /** The keys that were sent last; undefined: none yet. */
  asked: ReadonlySet<string> | undefined;
  /** The keys of the view. */
  inView: ReadonlySet<string> | undefined;
  isRekeying = false;
  readonly #wire: Shared;

  constructor(wire: Shared) {
    this.#wire = wire;
  }

  get mustRekey(): boolean {
    const wanted = new Set(this.#wire.options.keys);
    return wanted.size !== this.asked?.size || [...wanted].some((key) => !this.asked?.has(key));
  }

  toAsked(): readonly string[] {
    const { options, members } = this.#wire;
    const { keys = [] } = options;
    this.asked = new Set(keys);
    for (const { extras } of members) extras?.wants(this.asked);
    return keys;
  }

  toRekeying(): readonly string[] {
    this.isRekeying = true;
    return this.toAsked();
  }

  toGranted(): void {
    this.inView = this.asked;
    this.isRekeying = false;
  }

  /** The values of a snapshot may be newer than the position after which the batches of other keys begin. */
  shown(fresh: readonly ReceivedPublication[], map?: StateMap): readonly ReceivedPublication[] {
    return fresh.filter(
      ({ key = '', offset }) => this.asked?.has(key) !== false && !((map?.get(key)?.offset ?? 0) >= offset),
    );
  }

  page(
    { topic, partial, first }: Pick<ServerKinds['snapshot'], 'topic' | 'partial' | 'first'>,
    publications: readonly ReceivedPublication[],
    member: Member,
  ): readonly ReceivedPublication[] {
    return partial && first ? [...member.entries(topic).values(), ...publications] : publications;
  }
}
