import { isExcepted, type SoleReceiver } from '../fanout/choose.ts';
import { formerEpoch, type View } from '../fanout/view.ts';
import type { Metrics } from '../metrics.ts';
import type { Mode, Position } from '../protocol/frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import type { Lag } from './lag.ts';
import { makePage } from './page.ts';
import type { PageCache } from './page-cache.ts';
import type { BacklogItem, GoneTopic } from './pattern-backlog.ts';
import type { PendingSnapshot } from './pending-snapshot.ts';
import { reachOf } from './reach.ts';
import { TopicBacklog } from './topic-backlog.ts';

/** What one subscriber lacks of its view, item by item. */
export interface Backlog {
  /** What is to be sent next; undefined: nothing is lacking at this moment. */
  readonly current: BacklogItem | undefined;
  /** The current item was sent. */
  advance(): void;
  /** How far the subscriber is, for its cursor; undefined: in everything that there is. */
  readonly lag: Lag | undefined;
  /** It may lack something that no frame can name. */
  readonly hasUnnamedLoss?: boolean;
}

/** The subscriber that is caught up, as this stage sees it. */
export interface CatchUpReceiver {
  /** The id of its session, which a publication may except. */
  readonly id: string;
  /** The id of the session that its client had before; undefined: not known. */
  readonly formerId?: string | undefined;
  /** Whether one more page may be sent now. */
  hasRoom(): boolean;
  sendBytes(message: Uint8Array): void;
  sendFrame(frame: ServerFrame): void;
  /** Ends the session: the reply to its client's next subscribe says that something may be lost. */
  endForUnnamedLoss(): void;
}

export interface CatchUpOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A page ends with the publication that makes it this large, encoded, or before. */
  readonly pageBytes: number;
  readonly pages: PageCache;
  /** The mode of a topic of this name. */
  readonly modeOf: (topic: string) => Mode;
  readonly metrics: Pick<Metrics, 'recoveriesTotal' | 'deliveriesTotal'>;
}

/**
 * Sends one subscriber what it lacks, page by page while there is room. Returns whether nothing is left; if so, it
 * must join the view in this very turn. If not, call it again when the connection has drained.
 */
export function catchUp(
  receiver: CatchUpReceiver,
  view: View,
  backlog: Backlog,
  options: CatchUpOptions,
): boolean {
  for (let item = backlog.current; item !== undefined; item = backlog.current) {
    if (item instanceof TopicBacklog) {
      while (!item.isEmpty) {
        if (!receiver.hasRoom()) return false;
        sendNext(receiver, item, options);
      }
    } else {
      if (!receiver.hasRoom()) return false;
      sendGone(receiver, view, item, options);
    }
    backlog.advance();
  }
  if (backlog.hasUnnamedLoss !== true) return true;
  receiver.endForUnnamedLoss();
  return false;
}

/**
 * The next frame of a topic. The backlog covers it before it is sent, so that a cursor that goes with it counts it: a
 * reset, a page of values, the name of what is lost, or a page of publications.
 */
function sendNext(receiver: CatchUpReceiver, backlog: TopicBacklog, options: CatchUpOptions): void {
  if (backlog.isOfAnotherEpoch) sendReset(receiver, backlog, options);
  else if (backlog.snapshot !== undefined) sendValues(receiver, backlog, backlog.snapshot, options);
  else if (!backlog.isOutOfReach) sendPage(receiver, backlog, options);
  else if (backlog.feed.topic.state === undefined) sendMissing(receiver, backlog, options);
  else {
    backlog.takeSnapshot(options.nowMs());
    options.metrics.recoveriesTotal.inc({ outcome: 'snapshot' });
  }
}

function sendReset(receiver: CatchUpReceiver, backlog: TopicBacklog, { nowMs }: CatchUpOptions): void {
  const { topic, view } = backlog.feed;
  const knewNone = backlog.epoch === '';
  const { epoch, offset } = backlog.startOver();
  const { mode } = topic.options;
  if (topic.state !== undefined) backlog.takeSnapshot(nowMs());
  const frame = { kind: 'reset', id: 0, view: view.id, topic: topic.name, mode } as const;
  // One that knew no numbering would take this one for the first.
  if (knewNone && topic.resetAt > 0) receiver.sendFrame({ ...frame, epoch: formerEpoch, offset: 0 });
  receiver.sendFrame({ ...frame, epoch, offset });
}

function sendValues(
  receiver: CatchUpReceiver,
  backlog: TopicBacklog,
  snapshot: PendingSnapshot,
  { pageBytes, metrics }: CatchUpOptions,
): void {
  const { view, topic } = backlog.feed;
  const { offset, isPartial, hasBegun } = snapshot;
  const { codec } = view.options;
  const sole = soleReceiver(receiver);
  const pieces = snapshot.takePage(codec, pageBytes, ({ except }) => isExcepted(sole, except));
  const last = snapshot.isSent;
  const partial = isPartial || undefined;
  const position = { epoch: backlog.epoch, offset };
  const header = { view: view.id, topic: topic.name, ...position, first: !hasBegun, last, partial };
  if (last) backlog.snapshotSent();
  receiver.sendBytes(codec.frameSnapshot(header, pieces));
  metrics.deliveriesTotal.inc(pieces.length);
}

function soleReceiver({ id, formerId }: CatchUpReceiver): Omit<SoleReceiver, 'nowMs'> {
  return { session: id, formerSession: formerId };
}

function sendPage(receiver: CatchUpReceiver, backlog: TopicBacklog, options: CatchUpOptions): void {
  const { feed, position } = backlog;
  const { pages, nowMs, pageBytes, metrics } = options;
  let page = pages.find(feed, position);
  if (page === undefined) {
    const made = makePage(feed, position, { ...soleReceiver(receiver), nowMs: nowMs() }, pageBytes);
    // With a filter of its own a subscription would only displace the pages that others share.
    const isShared = made.isForAll && feed.view.subscriptions > 1;
    page = isShared ? pages.add(feed, made.page) : made.page;
  }
  backlog.covered(page.header.upto);
  receiver.sendBytes(page.message);
  metrics.deliveriesTotal.inc(page.publications);
}

function sendMissing(receiver: CatchUpReceiver, backlog: TopicBacklog, { metrics }: CatchUpOptions): void {
  const { feed, epoch, position } = backlog;
  const { topic, view } = feed;
  const reach = reachOf(feed);
  backlog.covered(reach);
  sendLoss(receiver, view, topic.name, { epoch, offset: reach }, position);
  metrics.recoveriesTotal.inc({ outcome: 'gap' });
}

/** Names what is lost of a topic whose content is gone. Of a state topic it says that there are no values any more. */
function sendGone(
  receiver: CatchUpReceiver,
  view: View,
  { name, numbering: { epoch, offset } }: GoneTopic,
  { metrics, modeOf }: CatchUpOptions,
): void {
  if (modeOf(name) === 'state') {
    const header = { view: view.id, topic: name, epoch, offset, first: true, last: true };
    receiver.sendBytes(view.options.codec.frameSnapshot(header, []));
    metrics.recoveriesTotal.inc({ outcome: 'snapshot' });
  } else if (offset > 0) {
    sendLoss(receiver, view, name, { epoch, offset }, 0);
    metrics.recoveriesTotal.inc({ outcome: 'gap' });
  }
}

/** Publications after `after`, up to `offset`, are lost. */
function sendLoss(
  receiver: CatchUpReceiver,
  view: View,
  topic: string,
  { epoch, offset }: Position,
  after: number,
): void {
  receiver.sendFrame({
    kind: 'caughtUp',
    id: 0,
    view: view.id,
    topic,
    epoch,
    offset,
    recovered: false,
    missing: { after, upto: offset },
  });
}
