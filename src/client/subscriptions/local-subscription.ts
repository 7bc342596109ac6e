import type { Granted, Position, TopicPosition } from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ReceivedPublication } from '../publication.ts';
import { otherKeys } from '../requests.ts';
import type { Runtime } from '../runtime.ts';
import { ApplicationSubscription, type SubscriptionHome } from './application-subscription.ts';
import type { RekeyTarget } from './extras/rekey.ts';
import { type Code, extras } from './extras.ts';
import type { Known } from './feed.ts';
import type { ExtrasCode, Member, MemberExtras, Stage } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { Subscription } from './subscription.ts';
import type { Wire } from './wire.ts';

/** What a subscription needs from `Subscriptions`. */
export interface LocalHome extends SubscriptionHome, RekeyTarget {
  remove(subscription: LocalSubscription): void;
}

/** A subscription of this client's application. Equal ones share one subscription on the wire. */
export class LocalSubscription<T = unknown>
  extends ApplicationSubscription<T>
  implements Subscription<T>, Member
{
  declare extras: MemberExtras | undefined;
  /** Undefined: it has ended. */
  wire: Wire | undefined;
  readonly isHeard: () => boolean;
  readonly #home: LocalHome;

  /** `isHeard`: by default whether it has a listener itself. */
  constructor(topic: string, options: SubscribeOptions, home: LocalHome, isHeard?: () => boolean) {
    super(topic, options, home);
    this.isHeard = isHeard ?? (() => this.emitter.hears('publication'));
    this.#home = home;
  }

  get stage(): Stage | undefined {
    return this.extras?.stage;
  }

  get positions(): TopicPosition[] {
    return [...this.topics.keys()].flatMap((topic) => {
      const at = this.at(topic);
      return at ? [{ topic, ...at }] : [];
    });
  }

  get cursor(): string | undefined {
    return this.stage ? this.options.cursor : this.wire?.cursor;
  }

  setKeys(keys: readonly string[]): void {
    this.options = otherKeys(this.topic, this.options, keys);
    extras.loaded?.changeKeys(this.#home, this as LocalSubscription);
  }

  unsubscribe(): void {
    if (this.state === 'closed') return;
    this.enter('closed');
    this.emitter.clear();
    this.#home.remove(this as LocalSubscription);
  }

  // -- Member -----------------------------------------------------------------------------------------

  extend({ MemberExtras, startOf }: ExtrasCode, runtime: Runtime, since?: Position): void {
    this.options = startOf(this.options, since);
    this.extras ??= new MemberExtras(this, runtime);
  }

  joins(wire: Wire, other: Member | undefined): void {
    this.wire = wire;
    if (this.extras?.joins(wire.cursor, other) || !other) return;
    for (const [topic, known] of other.copies())
      this.stand(topic, this.extras?.begins(topic, known, other.topics.size) ?? known);
  }

  leave(): void {
    this.wire?.leave(this as LocalSubscription);
    this.wire = undefined;
  }

  copies(): [topic: string, known: Known<ReceivedPublication>][] {
    return [...this.topics].map(([topic, { epoch, offset, awaitsSnapshot, map }]) => [
      topic,
      { epoch, offset, awaitsSnapshot, map: map && (extras.loaded as Code).copyOf(map) },
    ]);
  }

  begin(granted: Granted, starts: readonly TopicPosition[], byCursor = false): void {
    if (extras.loaded) extras.loaded.beginFeed(this, granted, starts, byCursor);
    else {
      // Nothing was lost, and the topic is a stream: otherwise the reply would have waited for the code.
      const { topic, epoch, offset, recovered } = granted;
      const own = this.at(topic);
      this.stand(topic, { epoch, offset });
      if (own && recovered) this.emitter.emit('recovered', { topic, epoch, offset });
      this.enter('live');
    }
    this.extras?.wishes.clear();
  }

  reset(frame: ServerKinds['reset']): void {
    const { topic, epoch, offset } = frame;
    const previous = this.at(topic);
    if (extras.loaded) extras.loaded.resetFeed(this, frame);
    else if (previous?.epoch !== epoch) {
      this.stand(topic, { epoch, offset });
      if (previous?.epoch) this.emitter.emit('reset', { topic, ...(this.position as Position) }, previous);
    }
  }

  place(topic: string, batch: { readonly epoch?: string; readonly after: number }) {
    const { loaded } = extras;
    const at = loaded?.placeOf(this, topic, batch) ??
      this.topics.get(topic) ?? { epoch: '', offset: batch.after };
    return this.extras?.placed(topic, at) ?? at;
  }
}
