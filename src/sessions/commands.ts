import { type Authorize, credentialNeeded } from '../auth/authorize.ts';
import type { Verdict } from '../auth/credentials.ts';
import type { Identity } from '../auth/identity.ts';
import { SluiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { ClientFrame, CommandKind, Commands, Reply } from '../protocol/frames.ts';
import { jsonPayloadProblem } from '../protocol/payload.ts';
import type { Broker } from '../topics/broker.ts';
import type { AppendOutcome } from '../topics/engine.ts';
import { topicProblem } from '../topics/topic-name.ts';
import type { Presence } from './presence.ts';
import type { Session } from './session.ts';
import type { Subscriber, Unloaded } from './subscribe.ts';

export interface CommandOptions {
  readonly broker: Broker;
  readonly presence: Presence;
  readonly subscriber: Subscriber;
  /** Whose token or key it is. Never rejects. */
  readonly identify: (credential: string) => Verdict | Promise<Verdict>;
  readonly authorize: Authorize;
  readonly metrics: Pick<Metrics, 'clientRoundTripSeconds'>;
  /** Tells a session what it is; answers `connect`. */
  readonly greet: (session: Session, id: number) => void;
  /** Its credential was refused. */
  readonly refused: (session: Session, error: SluiceError) => void;
  /** Who the session is has changed: the topics that are its own follow. Throws where the user may have no more sessions. */
  readonly identified: (session: Session, identity: Identity) => void;
  /** To be told of each large reply. */
  readonly repliedLarge: (session: Session, bytes: number) => void;
}

/** The most publications in one page of history, and the most bytes: a larger page ends before, with `more`. */
const historyMaxPublications = 1000;
const historyMaxBytes = 256 * 1024;
const historyPublications = 100;

type Fields<K extends CommandKind> = Commands[K] & { readonly id: number };
type Answer = Reply | undefined;
/** What is left to do when that has come which a command had to wait for: done in one go, what it sends leaves together. */
type Rest = () => Answer;

/**
 * What each command does. It answers the reply, or throws an error of the table; nothing means that it has replied by
 * itself. Of the commands of one session, those that change what it is or takes part in run one after the other; what
 * `follows` begins when the changes that were asked for before it are done, and nothing waits for it. A ping asks whether the
 * connection is alive: an engine that makes a subscribe wait must not look like a dead connection.
 */
type CommandTable = {
  readonly [K in CommandKind]: {
    readonly order: 'changes' | 'follows' | 'free';
    readonly summary: string;
    /** Its reply may be large: it is made once the connection has room for it. */
    readonly isLarge?: true;
    readonly run: (
      session: Session,
      fields: Fields<K>,
      options: CommandOptions,
    ) => Answer | Promise<Answer | Rest>;
  };
};

export const commandTable: CommandTable = {
  connect: { order: 'changes', summary: 'Says who connects: token, name, capabilities.', run: connect },
  subscribe: {
    order: 'changes',
    summary: 'Subscribes to topics or patterns, from a position if wanted.',
    run: subscribe,
  },
  unsubscribe: { order: 'changes', summary: 'Ends subscriptions, by view or topic.', run: unsubscribe },
  publish: {
    order: 'follows',
    summary: 'Publishes; the reply comes once the engine has committed it.',
    run: publish,
  },
  history: { order: 'follows', isLarge: true, summary: 'A page of the ring, oldest first.', run: history },
  presence: { order: 'follows', isLarge: true, summary: 'Who is in a topic.', run: presence },
  status: { order: 'follows', summary: 'What the gateway knows of this session.', run: status },
  refresh: { order: 'changes', summary: 'A new token for the same user.', run: refresh },
  ping: { order: 'free', summary: 'Answered by pong; reports the last round trip.', run: ping },
  call: { order: 'follows', summary: 'A request to the application. Reserved.', run: notSupported },
};

/** Runs a command of any kind: the table is complete, so the kinds agree. */
export function runCommand(
  session: Session,
  frame: ClientFrame,
  options: CommandOptions,
): Answer | Promise<Answer | Rest> {
  const { run } = commandTable[frame.kind] as CommandTable[CommandKind];
  return (
    run as (session: Session, fields: ClientFrame, options: CommandOptions) => Answer | Promise<Answer | Rest>
  )(session, frame, options);
}

function connect(
  session: Session,
  { id, token, client, capabilities }: Fields<'connect'>,
  options: CommandOptions,
): Answer | Promise<Rest> {
  const { unauthenticated } = session.identity;
  // One that is still unauthenticated was refused for a while, and may try again.
  if (session.introduced && unauthenticated !== true) throw new SluiceError('already_connected');
  if (!token && unauthenticated === true) throw credentialNeeded();
  session.introduced = true;
  session.client = client;
  session.knowsDictionaries = capabilities?.includes('dictionary') === true;
  const greet = () => {
    options.greet(session, id);
    return undefined;
  };
  if (!token) return greet();
  return verified(session, token, options, (identity) => {
    options.identified(session, identity);
    return greet();
  });
}

function refresh(
  session: Session,
  { token }: Fields<'refresh'>,
  options: CommandOptions,
): Answer | Promise<Rest> {
  return verified(session, token, options, (identity) => {
    if (identity.user !== session.identity.user)
      throw new SluiceError('forbidden', 'the token is another user’s');
    options.identified(session, identity);
    return { kind: 'refreshed', expiresMs: identity.expiresAtMs };
  });
}

function verified(
  session: Session,
  credential: string,
  { identify, refused }: CommandOptions,
  proceed: (identity: Identity) => Answer,
): Answer | Promise<Rest> {
  const finish = (verdict: Verdict) => {
    if (!(verdict instanceof SluiceError)) return proceed(verdict);
    refused(session, verdict);
    throw verdict;
  };
  const verdict = identify(credential);
  return verdict instanceof Promise ? verdict.then((late) => () => finish(late)) : finish(verdict);
}

function subscribe(
  session: Session,
  { id, subscriptions }: Fields<'subscribe'>,
  { subscriber }: CommandOptions,
): Answer | Promise<Rest> {
  if (subscriptions.length === 0)
    throw new SluiceError('invalid_request', 'subscribe names at least one topic');
  const proceed = (unloaded?: Unloaded): Answer => {
    if (session.closed) return undefined;
    const results = subscriber.subscribe(session, subscriptions, unloaded);
    session.sendFrame({ kind: 'subscribed', id, results });
    session.pump();
    return undefined;
  };
  return subscriber.needsLoad(subscriptions)
    ? subscriber.load(subscriptions).then((unloaded) => () => proceed(unloaded))
    : proceed();
}

/** Ends those that there are. To end what isn't there is no fault of the others; only where there is none of them it is an error. */
function unsubscribe(session: Session, { views = [], topics = [] }: Fields<'unsubscribe'>): Answer {
  if (views.length + topics.length === 0)
    throw new SluiceError('invalid_request', 'unsubscribe names views or topics');
  const ids = new Set(views);
  const targets = new Set(topics);
  const ended = [...session.views.values()].filter(
    ({ view, target }) => ids.has(view.id) || targets.has(target),
  );
  if (ended.length === 0) throw new SluiceError('not_subscribed');
  for (const sessionView of ended) session.removeView(sessionView);
  return { kind: 'unsubscribed', views: ended.map(({ view }) => view.id) };
}

function publish(
  session: Session,
  fields: Fields<'publish'>,
  options: CommandOptions,
): Answer | Promise<Rest> {
  const { topic, type, key, tags, messageId, ttlMs, except, timestampMs, removed, expectedOffset } = fields;
  const refusal = options.authorize(session.identity, 'publish', topic);
  if (refusal !== undefined) throw refusal;
  // The message's bytes die with this turn.
  const payload = { format: fields.payload.format, bytes: fields.payload.bytes.slice() };
  if (payload.format === 'json' && session.codec.name === 'protobuf') {
    const problem = jsonPayloadProblem(payload.bytes);
    if (problem !== undefined) throw new SluiceError('invalid_json', problem);
  }
  const outcomes = options.broker.publish(
    [{ topic, type, payload, key, tags, messageId, ttlMs, except, timestampMs, removed, expectedOffset }],
    session.publisher,
  );
  return outcomes instanceof Promise ? outcomes.then((late) => () => published(late)) : published(outcomes);
}

function published([outcome]: readonly AppendOutcome[]): Answer {
  if (outcome === undefined) throw new SluiceError('internal');
  if (!outcome.ok) throw outcome.error;
  const { epoch, offset, duplicate } = outcome;
  return { kind: 'published', epoch, offset, duplicate };
}

async function history(
  session: Session,
  { id, topic, after, limit }: Fields<'history'>,
  { broker, authorize, repliedLarge }: CommandOptions,
): Promise<Answer> {
  const problem = topicProblem(topic);
  if (problem !== undefined) throw new SluiceError('invalid_topic', problem);
  const refusal = authorize(session.identity, 'subscribe', topic);
  if (refusal !== undefined) throw refusal;
  const wanted = Math.min(limit || historyPublications, historyMaxPublications);
  const page = await broker.history(topic, after, wanted, historyMaxBytes);
  if (session.closed) return undefined;
  const pieces = page.publications
    .filter(({ except }) => except !== session.id)
    .map((publication) => publication.encoded(session.codec));
  const { epoch, upto, more, missing } = page;
  const header = { topic, epoch, after: page.after, upto, more, missing };
  const message = session.codec.frameHistory(id, header, pieces);
  repliedLarge(session, message.length);
  session.sendBytes(message);
  return undefined;
}

function presence(session: Session, { topic }: Fields<'presence'>, options: CommandOptions): Answer {
  const problem = topicProblem(topic);
  if (problem !== undefined) throw new SluiceError('invalid_topic', problem);
  const refusal = options.authorize(session.identity, 'presence', topic);
  if (refusal !== undefined) throw refusal;
  const { presence: rooms } = options;
  return { kind: 'presence', topic, members: rooms.list(topic), count: rooms.count(topic) };
}

function status(session: Session, _: Fields<'status'>, { broker }: CommandOptions): Answer {
  return {
    kind: 'status',
    session: session.id,
    user: session.identity.user,
    connectedAtMs: session.connectedAtMs,
    messageCount: session.messageCount,
    subscriptions: [...session.views.values()]
      .filter(({ watches }) => watches === undefined)
      .map(({ view, target }) => ({ topic: target, view: view.id })),
    timeMs: broker.wallMs(),
  };
}

function ping(_: Session, { roundTripMs }: Fields<'ping'>, options: CommandOptions): Answer {
  if (roundTripMs !== undefined && roundTripMs > 0)
    options.metrics.clientRoundTripSeconds.observe(roundTripMs / 1000);
  return { kind: 'pong', timeMs: options.broker.wallMs() };
}

function notSupported(): never {
  throw new SluiceError('not_supported');
}
