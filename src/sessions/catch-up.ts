import { conflate, removalOf } from '../fanout/conflate.ts';
import { batchHeader } from '../fanout/encoder.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { Metrics } from '../metrics.ts';
import type { Mode, ServerFrame } from '../protocol/frames.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Page, PageCache } from './page-cache.ts';
import type { Gone } from './pattern-backlog.ts';
import type { SessionView } from './session-view.ts';
import { backlogEnd, isLevel, type TopicBacklog } from './topic-backlog.ts';

/** The session as the catch-up sees it. */
export interface CatchUpSession {
  readonly id: string;
  /** Whether one more page may be sent now without filling the buffer. */
  hasRoom(): boolean;
  sendBytes(message: Uint8Array): void;
  sendFrame(frame: ServerFrame): void;
  /** From now on the view's frames come by themselves. */
  goLive(sessionView: SessionView): void;
}

export interface CatchUpOptions {
  readonly fanout: Fanout;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** A page ends with the publication that makes it as large as this, encoded, or before. */
  readonly pageBytes: number;
  readonly pages: PageCache;
  /** Of a topic of this name. */
  readonly modeOf: (topic: string) => Mode;
  readonly metrics: Pick<Metrics, 'recoveriesTotal' | 'deliveriesTotal'>;
}

// A page that is not the last ends, in its second half, at the roundest offset: whoever comes back from whatever position
// is soon sent the same pages as all others.

/** The largest power of two that divides this offset, at most 2^30. */
function roundness(offset: number): number {
  const low = offset % 0x4000_0000;
  return low & -low || 0x4000_0000;
}

/** The roundest offset of (after, upto]. */
function roundestOf(after: number, upto: number): number {
  let power = 0x4000_0000;
  while (upto - (upto % power) <= after) power /= 2;
  return upto - (upto % power);
}

/** How many publications one page covers at the most: an empty page must not walk a whole ring. */
const pagePublications = 1000;

/**
 * Sends one subscriber what its view's members have had and it has not, page by page as its buffer drains, and lets
 * it join them in the very turn in which there is nothing left. Answers whether it is done; if not, call it again when the
 * connection has drained.
 */
export function catchUp(session: CatchUpSession, sessionView: SessionView, options: CatchUpOptions): boolean {
  const { backlog } = sessionView;
  for (const backlog of sessionView.backlogs) if (!catchUpTopic(session, backlog, options)) return false;
  for (let item = backlog?.current; item !== undefined; item = backlog?.current) {
    if ('backlog' in item) {
      if (!catchUpTopic(session, item.backlog, options)) return false;
    } else {
      if (!session.hasRoom()) return false;
      sendGone(session, sessionView, item.gone, options);
    }
    backlog?.advance();
  }
  session.goLive(sessionView);
  return true;
}

function catchUpTopic(session: CatchUpSession, backlog: TopicBacklog, options: CatchUpOptions): boolean {
  while (!isLevel(backlog)) {
    if (!session.hasRoom()) return false;
    sendNext(session, backlog, options);
  }
  return true;
}

/** Names what is lost of a topic whose content is gone; of a state topic it says that there are no values any more. */
function sendGone(
  session: CatchUpSession,
  { view }: SessionView,
  { name, numbering: { epoch, offset } }: Gone,
  { metrics, modeOf }: CatchUpOptions,
): void {
  if (modeOf(name) === 'state') {
    const header = { view: view.id, topic: name, epoch, offset, first: true, last: true };
    session.sendBytes(view.options.codec.frameSnapshot(header, []));
    metrics.recoveriesTotal.inc({ outcome: 'snapshot' });
    return;
  }
  if (offset === 0) return;
  const missing = { after: 0, upto: offset };
  session.sendFrame({
    ...{ kind: 'caughtUp', id: 0, view: view.id, topic: name, epoch, offset },
    ...{ recovered: false, missing },
  });
  metrics.recoveriesTotal.inc({ outcome: 'gap' });
}

function sendNext(session: CatchUpSession, backlog: TopicBacklog, options: CatchUpOptions): void {
  const { topic, view } = backlog.feed;
  if (backlog.epoch !== topic.epoch) {
    startOver(session, backlog, options);
  } else if (backlog.snapshot !== undefined) {
    sendSnapshotPage(session, backlog, options);
  } else if (backlog.position < topic.ring.reach || backlog.position < 0) {
    if (topic.state !== undefined) {
      backlog.snapshot = takeSnapshot(backlog, options.nowMs());
      options.metrics.recoveriesTotal.inc({ outcome: 'snapshot' });
      return;
    }
    const missing = { after: backlog.position, upto: topic.ring.reach };
    backlog.position = missing.upto;
    options.metrics.recoveriesTotal.inc({ outcome: 'gap' });
    session.sendFrame({
      kind: 'caughtUp',
      id: 0,
      view: view.id,
      topic: topic.name,
      epoch: backlog.epoch,
      offset: backlog.position,
      recovered: false,
      missing,
    });
  } else {
    sendRingPage(session, backlog, options);
  }
}

/** The numbering changed while this subscriber was behind: what it missed begins where the epoch does. */
function startOver(session: CatchUpSession, backlog: TopicBacklog, { nowMs }: CatchUpOptions): void {
  const { topic, view } = backlog.feed;
  backlog.epoch = topic.epoch;
  backlog.position = topic.startOffset;
  backlog.snapshot = undefined;
  session.sendFrame({
    kind: 'reset',
    id: 0,
    view: view.id,
    topic: topic.name,
    epoch: backlog.epoch,
    offset: backlog.position,
    mode: topic.options.mode,
  });
  if (topic.state !== undefined) backlog.snapshot = takeSnapshot(backlog, nowMs());
}

export function takeSnapshot(
  { feed }: Pick<TopicBacklog, 'feed'>,
  nowMs: number,
): NonNullable<TopicBacklog['snapshot']> {
  const values = [...feed.topic.snapshot(nowMs)].filter((publication) => feed.matches(publication));
  return { offset: feed.topic.ring.newest, values, sent: 0 };
}

function sendSnapshotPage(
  session: CatchUpSession,
  backlog: TopicBacklog,
  { pageBytes, metrics }: CatchUpOptions,
): void {
  const { view, topic } = backlog.feed;
  const snapshot = backlog.snapshot as NonNullable<TopicBacklog['snapshot']>;
  const first = snapshot.sent === 0;
  const pieces: Uint8Array[] = [];
  for (let bytes = 0; snapshot.sent < snapshot.values.length && bytes < pageBytes; snapshot.sent++) {
    const publication = snapshot.values[snapshot.sent] as StoredPublication;
    if (publication.except === session.id) continue;
    const piece = publication.encoded(view.options.codec);
    pieces.push(piece);
    bytes += piece.length;
  }
  const last = snapshot.sent === snapshot.values.length;
  const header = {
    view: view.id,
    topic: topic.name,
    epoch: backlog.epoch,
    offset: snapshot.offset,
    first,
    last,
  };
  const message = view.options.codec.frameSnapshot(header, pieces);
  session.sendBytes(message);
  metrics.deliveriesTotal.inc(pieces.length);
  if (!last) return;
  backlog.position = snapshot.offset;
  backlog.snapshot = undefined;
}

function sendRingPage(session: CatchUpSession, backlog: TopicBacklog, options: CatchUpOptions): void {
  const page = options.pages.find(backlog.feed, backlog.position) ?? pageOf(session, backlog, options);
  session.sendBytes(page.message);
  options.metrics.deliveriesTotal.inc(page.publications);
  backlog.position = page.header.upto;
}

/** What the ring holds behind the backlog's position, as much as makes a page; kept for others unless it is for this session only. */
function pageOf(
  session: CatchUpSession,
  backlog: TopicBacklog,
  { nowMs, pageBytes, pages }: CatchUpOptions,
): Page {
  const { feed } = backlog;
  const { view, topic } = feed;
  const isState = topic.state !== undefined;
  const end = pageEnd(backlog.position, backlogEnd(feed));
  const conflates = isState || view.options.conflate;
  const now = nowMs();
  const held = conflates
    ? [...topic.ring.between(backlog.position, end)]
    : topic.ring.between(backlog.position, end);
  const kept = Array.isArray(held) ? conflate(held, feed, { session: session.id, nowMs: now }) : undefined;
  const pieces: Uint8Array[] = [];
  let upto = end;
  let bytes = 0;
  let isForAll = true;
  let roundest = { offset: 0, pieces: 0, bytes: 0, roundness: 0 };
  for (const publication of held) {
    if (bytes >= pageBytes) {
      upto = roundest.offset;
      pieces.length = roundest.pieces;
      bytes = roundest.bytes;
      break;
    }
    if (feed.exceptOf(publication) !== undefined || publication.ttlMs !== undefined) isForAll = false;
    if (kept?.has(publication) === false) continue;
    const chosen = choose(session, backlog, publication, now);
    if (chosen === undefined) continue;
    const piece = chosen.encoded(view.options.codec);
    pieces.push(piece);
    bytes += piece.length;
    const { offset } = publication;
    if (2 * bytes >= pageBytes && roundness(offset) > roundest.roundness)
      roundest = { offset, pieces: pieces.length, bytes, roundness: roundness(offset) };
  }
  const header = batchHeader(feed, backlog.position, upto);
  const message = view.options.codec.frameBatch(topic.name, header, pieces);
  const isFull = upto < backlogEnd(feed);
  const page = {
    header,
    epoch: backlog.epoch,
    isFull,
    publications: pieces.length,
    message,
    runBytes: bytes,
  };
  return isForAll ? pages.add(feed, page) : page;
}

/** What a page behind this position covers at the most. */
function pageEnd(position: number, end: number): number {
  const most = position + pagePublications;
  return end <= most ? end : roundestOf(most - pagePublications / 2, most);
}

/** What this subscriber gets of a publication of the ring: itself, the removal of its key, or nothing. */
function choose(
  session: CatchUpSession,
  { feed }: TopicBacklog,
  publication: StoredPublication,
  nowMs: number,
): StoredPublication | undefined {
  if (feed.matches(publication)) {
    return feed.exceptOf(publication) === session.id || publication.expiresAtMs <= nowMs
      ? undefined
      : publication;
  }
  // Nobody knows whether the subscriber holds a value that no longer matches: to say so twice does no harm.
  return feed.topic.state === undefined ? undefined : removalOf(publication);
}
