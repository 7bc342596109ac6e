import { startPattern } from '../../catch-up/start-pattern.ts';
import { type StartOptions, startTopic } from '../../catch-up/start-topic.ts';
import { SluiceError } from '../../errors.ts';
import type { Fanout } from '../../fanout/fanout.ts';
import type { View } from '../../fanout/view.ts';
import type { Subscription } from '../../protocol/frames.ts';
import type { Payer } from '../../topics/payer.ts';
import { Charge, type HeldBytes } from '../limits/charges.ts';
import type { StartedView } from './replacing.ts';
import type { SessionView } from './session-view.ts';

export interface StarterOptions extends StartOptions {
  readonly fanout: Pick<Fanout, 'detach'>;
  /** Lists of the topics that subscribers of patterns lack. */
  readonly backlogs: HeldBytes;
}

/** What is left of a reply, which all patterns of a command share. */
interface ReplyRoom {
  /** Topics that they may still list. */
  readonly topics: number;
  listed(topics: number): void;
}

/** Who starts. */
interface StartFor {
  readonly payer: Payer;
  /** The subscriptions that this one replaces. */
  readonly replaced: readonly SessionView[];
  readonly continued: (checkRoom: (bytes: number) => void) => StartedView | undefined;
}

export interface ChargedStart extends StartedView {
  readonly charge?: Charge;
}

/** A backlog with shorter lists is charged to no one. */
const freeBytes = 8192;
/** Retry delay of subscriptions that were refused because others keep too much. */
const retryAfterMs = 1000;

/** Finds where subscriptions start. */
export class SubscriptionStarter {
  readonly #options: StarterOptions;

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  /** What a subscriber lacks of the view, and what it is told. */
  start(
    view: View,
    subscription: Subscription,
    room: ReplyRoom,
    checkRoom?: (bytes: number) => void,
  ): StartedView {
    if (!view.isPattern) return startTopic(view.feed, subscription, this.#options);
    const { broker, modeOf, metrics } = this.#options;
    const options = { broker, modeOf, metrics, listedMax: room.topics, checkRoom };
    const started = startPattern(view, subscription, options);
    room.listed(started.result.topics?.length ?? 0);
    return started;
  }

  /**
   * The same, or what `continued` returns, and charges the payer what the backlog keeps. If that is too much, it
   * detaches the view and throws. What is charged for `replaced` counts as free.
   */
  startCharged(
    view: View,
    subscription: Subscription,
    room: ReplyRoom,
    { payer, replaced, continued }: StartFor,
  ): ChargedStart {
    const { fanout, backlogs } = this.#options;
    const { account } = payer;
    const checkRoom = (bytes: number) => {
      if (bytes <= freeBytes || backlogs.hasRoom(account, bytes, chargedTo(account, replaced))) return;
      fanout.detach(view, payer);
      throw new SluiceError('rate_limited', 'too many topics wait to be sent', { retryAfterMs });
    };
    const started = continued(checkRoom) ?? this.start(view, subscription, room, checkRoom);
    const { backlog, result, heldBytes = 0 } = started;
    if (heldBytes <= freeBytes) return started;
    return { backlog, result, charge: new Charge(backlogs, account, heldBytes) };
  }
}

function chargedTo(account: string, subscriptions: readonly SessionView[]): number {
  let bytes = 0;
  for (const { payer, chargedBytes } of subscriptions) if (payer?.account === account) bytes += chargedBytes;
  return bytes;
}
