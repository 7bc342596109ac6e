import type { Fanout } from '../../fanout/fanout.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Ack, Position, Subscription } from '../../protocol/frames.ts';
import type { Broker } from '../../topics/broker.ts';
import { parseCursor } from '../../topics/cursor.ts';
import type { Topic } from '../../topics/topic.ts';
import type { Session } from '../session.ts';
import type { SessionView } from '../subscriptions/session-view.ts';

export interface InboxOptions {
  readonly fanout: Pick<Fanout, 'afterDrops'>;
  readonly broker: Pick<Broker, 'acknowledged'>;
  /** Whether the namespace of this topic has the option `inbox`. */
  readonly isOn: (topic: string) => boolean;
}

/** A subscription whose client does not acknowledge by itself. */
interface ImplicitAcks {
  readonly session: Session;
  readonly user: string;
  /** Its position at the last sweep. */
  sent: Position | undefined;
  /** The last of these positions that was acknowledged. */
  acknowledged: Position | undefined;
  /** It knows that the topic is empty. */
  isTold: boolean;
  /** There is nothing to do for it before its position is another one than `sent`. */
  isAtRest: boolean;
}

/**
 * What users have had of streams with the option `inbox`, on whatever device. A subscription that does not say where to
 * start begins after what a client of its user has acknowledged. So a new device, or a client without offsets, gets
 * what no device of the user has had.
 *
 * A client may acknowledge by itself: with `Ping.acks`, by a request, by polling again, or by the cursor where it
 * continues. For a client that does not, and has not said that it will, what was sent before the last sweep counts as
 * acknowledged once none of it waits in this process.
 *
 * Subscriptions with a filter, and those to patterns, have no inbox: they do not show what the user has had.
 */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #implicitAcks = new Map<SessionView, ImplicitAcks>();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Whether the subscription of this session to the view is one of an inbox. */
  isInboxOf({ identity: { user } }: Session, view: View): boolean {
    const { target, filter, conflate } = view.options;
    if (user === undefined || view.isPattern || filter !== undefined || conflate) return false;
    return this.#options.isOn(target) && view.feed.topic.state === undefined;
  }

  /**
   * Returns the subscription with its starting point. `replaced`: up to where the session was sent the same topic by
   * the subscription that this one replaces; a client without offsets would get that twice.
   */
  startOf(
    session: Session,
    view: View,
    subscription: Subscription,
    replaced: Position | undefined,
  ): Subscription {
    const { since, last, cursor } = subscription;
    const { topic } = view.feed;
    const { user } = session.identity;
    if (since !== undefined || last !== undefined || cursor !== undefined) return subscription;
    if (user === undefined) return subscription;
    const sent = replaced?.epoch === topic.epoch ? replaced.offset : undefined;
    // A client with offsets passes over the frames of the subscription that it replaces.
    const hasOffsets = session.comparesOffsets === true || session.saysWhatItHad;
    const acknowledged = this.#options.broker.acknowledged.get(topic.name, user);
    const start = startIn(view.feed, acknowledged, sent, hasOffsets);
    return start === undefined ? subscription : { ...subscription, since: start };
  }

  /** A subscription of an inbox has begun, where `subscription` says. */
  joined(session: Session, sessionView: SessionView, { since, cursor }: Subscription): void {
    const { user } = session.identity;
    if (user === undefined) return;
    this.#implicitAcks.set(sessionView, {
      session,
      user,
      sent: undefined,
      acknowledged: undefined,
      isTold: false,
      isAtRest: false,
    });
    // Beside `since`, a cursor tells nothing of what the application has had.
    const continues = since === undefined && cursor !== undefined && !lacksValues(cursor);
    if (continues && !session.saysWhatItHad) this.#acknowledge(sessionView, user, sessionView.sentUpto);
  }

  /** The client has had everything that the session was sent. */
  received(session: Session): void {
    const { user } = session.identity;
    if (user === undefined || session.saysWhatItHad) return;
    for (const sessionView of session.views.values())
      if (this.isInboxOf(session, sessionView.view))
        this.#acknowledge(sessionView, user, sessionView.sentUpto);
  }

  /** Takes what the client says that it has had. Positions that it can't have had are ignored. */
  acknowledge(session: Session, acks: readonly Ack[]): void {
    const { user } = session.identity;
    if (user === undefined) return;
    for (const { view, offset, epoch } of acks) {
      const sessionView = session.views.get(view);
      if (sessionView === undefined || !this.isInboxOf(session, sessionView.view)) continue;
      this.#implicitAcks.delete(sessionView);
      const sent = sessionView.sentUpto;
      if (sent === undefined || offset > sent.offset) continue;
      // The client has not received the reset yet: the offset is one of the former epoch.
      if (epoch !== undefined && epoch !== sent.epoch) continue;
      if (sent.epoch === '') this.#toldEmpty(sessionView, user);
      else this.#options.broker.acknowledged.set(sessionView.target, user, { epoch: sent.epoch, offset });
    }
  }

  /**
   * Acknowledges for clients that do not do so by themselves: what was sent to them before the last call, but for what
   * was dropped. Call it about once a second.
   */
  sweep(): void {
    void this.#options.fanout.afterDrops(() => this.#sweep());
  }

  #sweep(): void {
    for (const [sessionView, acks] of this.#implicitAcks) {
      const { session, user, sent } = acks;
      // Nearly all are, and every user has one or more (`bench -- idle`).
      if (acks.isAtRest && sessionView.isLiveAt(sent)) continue;
      const isGone = session.isClosed || session.views.get(sessionView.view.id) !== sessionView;
      const now = !isGone && sessionView.isLive ? sessionView.sentUpto : undefined;
      const isOther = session.identity.user !== user;
      if (now?.epoch !== '') acks.isTold = false;
      else if (!acks.isTold && session.unsentBytes === 0 && !isOther) {
        // Once: this gateway may not have heard yet of what another device has acknowledged since.
        acks.isTold = true;
        this.#toldEmpty(sessionView, user);
      }
      if (isGone || session.acknowledges || isOther) {
        this.#implicitAcks.delete(sessionView);
        continue;
      }
      if (now !== undefined && isNews(sent, acks) && session.unsentBytes === 0) {
        this.#options.broker.acknowledged.set(sessionView.target, user, sent);
        acks.acknowledged = sent;
      }
      acks.sent = now;
      acks.isAtRest = now?.epoch === '' ? acks.isTold : now !== undefined && !isNews(now, acks);
    }
  }

  /**
   * The topic has lost the numbering that the user knew, and a client was told so. From then on the user knows it as
   * empty, and is told again only if other numberings have been dropped since: the topic may have had one of these.
   */
  #toldEmpty({ view, target }: SessionView, user: string): void {
    const { acknowledged } = this.#options.broker;
    const { topic } = view.feed;
    const known = acknowledged.get(target, user);
    if (known === undefined || knewAsEmpty(topic, known)) return;
    acknowledged.set(target, user, { epoch: '', offset: topic.bornAfterSeq });
  }

  #acknowledge({ target }: SessionView, user: string, position: Position | undefined): void {
    if (position !== undefined && position.epoch !== '')
      this.#options.broker.acknowledged.set(target, user, position);
  }
}

/** Whether the client continues with other subscriptions than before: it may never have had this one. */
function lacksValues(cursor: string): boolean {
  return parseCursor(cursor)?.lacksValues !== false;
}

/**
 * Whether a client of the user was told that the topic is empty, and it has had no other numbering since. Such a
 * position has the epoch "" and, as its offset, the commit up to which other numberings may have been dropped.
 */
function knewAsEmpty({ bornAfterSeq }: Topic, { epoch, offset }: Position): boolean {
  return epoch === '' && bornAfterSeq <= offset;
}

/**
 * Where a subscription starts whose user has acknowledged this position, and whose session was `sent` everything up to
 * this offset; undefined: with what is published next.
 */
function startIn(
  { topic, position }: Feed,
  acknowledged: Position | undefined,
  sent: number | undefined,
  hasOffsets: boolean,
): Position | undefined {
  const { epoch, startOffset, ring } = topic;
  const continues = sent !== undefined && !hasOffsets;
  const acknowledgedOffset = epoch !== '' && acknowledged?.epoch === epoch ? acknowledged.offset : undefined;
  // That was in another numbering, whose end the user may have missed.
  if (
    !continues &&
    acknowledgedOffset === undefined &&
    acknowledged !== undefined &&
    !knewAsEmpty(topic, acknowledged)
  )
    return acknowledged;
  if (epoch === '') return undefined;
  const start = continues ? sent : Math.max(startOffset, acknowledgedOffset ?? startOffset);
  // Another device may have had what this one was about to be sent.
  const offset = Math.min(start, sent ?? start);
  // The members may not have been sent yet what the user has had.
  return offset >= ring.newest && position >= ring.newest ? undefined : { epoch, offset };
}

function isNews(sent: Position | undefined, { acknowledged }: ImplicitAcks): sent is Position {
  if (sent === undefined || sent.epoch === '') return false;
  return sent.epoch !== acknowledged?.epoch || sent.offset !== acknowledged.offset;
}
