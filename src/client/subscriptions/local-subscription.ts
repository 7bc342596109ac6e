import type { Granted, Position, TopicPosition } from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import { otherKeys } from '../requests.ts';
import { ApplicationSubscription, type SubscriptionHome } from './application-subscription.ts';
import type { RekeyTarget } from './extras/rekey.ts';
import { extras } from './extras.ts';
import type { Audience, Member, MemberExtras, Stage } from './member.ts';
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
  readonly audience: Audience;
  declare protected readonly home: LocalHome;

  /** `audience`: by default its own listeners. */
  constructor(topic: string, options: SubscribeOptions, home: LocalHome, audience?: Audience) {
    super(topic, options, home);
    this.audience = audience ?? this.emitter;
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
    this.options = otherKeys(this.options, keys);
    extras.loaded?.changeKeys(this.home, this as LocalSubscription);
  }

  unsubscribe(): void {
    if (this.state === 'closed') return;
    this.enter('closed');
    this.emitter.clear();
    this.home.remove(this as LocalSubscription);
  }

  // -- Member -----------------------------------------------------------------------------------------

  joins(wire: Wire, other: Member | undefined): void {
    this.wire = wire;
    if (extras.loaded) extras.loaded.join(this, other);
    else for (const [topic, { epoch, offset }] of other?.topics ?? []) this.stand(topic, { epoch, offset });
  }

  leave(): void {
    this.wire?.leave(this as LocalSubscription);
    this.wire = undefined;
  }

  begin(granted: Granted, starts: readonly TopicPosition[], byCursor = false): void {
    if (extras.loaded) extras.loaded.begin(this, granted, starts, byCursor);
    else {
      // Nothing was lost, and the topic is a stream: otherwise the reply would have waited for the code.
      const { topic, epoch, offset, recovered } = granted;
      const own = this.at(topic);
      this.stand(topic, { epoch, offset });
      if (own && recovered) this.emitter.emit('recovered', { topic, epoch, offset });
      this.enter('live');
    }
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
    if (loaded) return loaded.place(this, topic, batch);
    return this.topics.get(topic) ?? { epoch: '', offset: batch.after };
  }
}
