import type { Verdict } from '../../auth/credentials.ts';
import { type Awaitable, whenDone } from '../../awaitable.ts';
import { SluiceError, throwIf } from '../../errors.ts';
import type { ClientFrame, CommandKind } from '../../protocol/client-frames.ts';
import type { Granted, Payload, SubscribeResult } from '../../protocol/frames.ts';
import { lastingPayload } from '../../protocol/lasting-payload.ts';
import { jsonPayloadProblem, nullPayload } from '../../protocol/payload.ts';
import { publishFrom } from '../../protocol/publication.ts';
import type { AppendOutcome } from '../../topics/engine.ts';
import { filteredPage, type HistoryPage } from '../../topics/history.ts';
import { publishProblem, topicNameProblem } from '../../topics/publish-problem.ts';
import { noCalls, readingOf } from '../application.ts';
import type { Session } from '../session.ts';
import { connect, identify, introduce, refresh } from '../users/authentication.ts';
import type { CommandOptions, CommandReply, Fields } from './command.ts';

/** The most publications in one page of history, and the most bytes: a larger page ends before, with `more`. */
const pageMaxPublications = 1000;
const pageMaxBytes = 256 * 1024;
const defaultHistoryPublications = 100;

/** The results of `begin`, by command. */
interface BegunResults {
  readonly connect: Verdict | undefined;
  readonly subscribe: readonly SubscribeResult[];
  readonly publish: readonly AppendOutcome[];
  readonly history: HistoryPage;
  readonly call: Payload;
  readonly refresh: Verdict;
  readonly setKeys: Granted;
}

interface CommandRow<K extends CommandKind, B> {
  /**
   * Commands of one session that change what it is or takes part in run one after the other. What `follows` begins
   * when the changes asked for before it are done, and nothing waits for it. A ping asks whether the connection is
   * alive: an engine that makes a subscribe wait must not look like a dead connection.
   */
  readonly order: 'changes' | 'follows' | 'free';
  readonly summary: string;
  /** The reply may be large: the command is run once the connection has room for it. */
  readonly isLarge?: true;
  /** Returns the reply, or throws an error of the table. Undefined: it has replied by itself. */
  readonly run: (session: Session, fields: Fields<K>, options: CommandOptions, begun: B) => CommandReply;
}

/** Does what has to be awaited. Sends nothing; may throw or reject with an error of the table. */
type Begin<K extends CommandKind, B> = (
  session: Session,
  fields: Fields<K>,
  options: CommandOptions,
) => Awaitable<B>;

/** What each command does. */
type CommandTable = {
  readonly [K in CommandKind]: K extends keyof BegunResults
    ? CommandRow<K, BegunResults[K]> & { readonly begin: Begin<K, BegunResults[K]> }
    : CommandRow<K, undefined> & { readonly begin?: undefined };
};

export const commandTable: CommandTable = {
  connect: {
    order: 'changes',
    summary: 'Introduces the client: token, name, capabilities.',
    begin: introduce,
    run: connect,
  },
  subscribe: {
    order: 'changes',
    summary: 'Subscribes to topics or patterns, optionally from a position.',
    begin: subscribe,
    run: subscribed,
  },
  unsubscribe: { order: 'changes', summary: 'Ends subscriptions, by view or topic.', run: unsubscribe },
  publish: {
    order: 'follows',
    summary: 'Publishes; the reply is sent once the engine has committed it.',
    begin: append,
    run: publish,
  },
  history: {
    order: 'follows',
    isLarge: true,
    summary: 'Returns a page of a topic’s history, oldest first.',
    begin: readHistory,
    run: history,
  },
  presence: { order: 'follows', isLarge: true, summary: 'Lists the members of a topic.', run: presence },
  status: { order: 'follows', summary: 'Returns what the gateway knows of this session.', run: status },
  refresh: {
    order: 'changes',
    summary: 'Replaces the token by a new one of the same user.',
    begin: identify,
    run: refresh,
  },
  ping: {
    order: 'free',
    summary: 'Gets a pong; reports the last round trip and acknowledges positions.',
    run: ping,
  },
  setKeys: {
    order: 'changes',
    summary: 'Changes the keys of a subscription to a state topic.',
    begin: setKeys,
    run: keysSet,
  },
  call: {
    order: 'follows',
    summary: 'Sends a request to the application and returns its answer.',
    begin: ask,
    run: (_session, _fields, _options, payload) => ({ kind: 'result', payload }),
  },
};

/** The first part of a command of any kind: the table is complete, so the kinds agree. */
export function beginCommand(
  session: Session,
  frame: ClientFrame,
  options: CommandOptions,
): Awaitable<unknown> {
  const begin = commandTable[frame.kind].begin as Begin<CommandKind, unknown> | undefined;
  return begin?.(session, frame as Fields<CommandKind>, options);
}

/** The second part, after what `beginCommand` returned. */
export function runCommand(
  session: Session,
  frame: ClientFrame,
  options: CommandOptions,
  begun: unknown,
): CommandReply {
  const { run } = commandTable[frame.kind] as CommandRow<CommandKind, unknown>;
  return run(session, frame as Fields<CommandKind>, options, begun);
}

function subscribe(
  session: Session,
  { subscriptions }: Fields<'subscribe'>,
  { subscriber, timed }: CommandOptions,
): Awaitable<readonly SubscribeResult[]> {
  if (subscriptions.length === 0)
    throw new SluiceError('invalid_request', 'subscribe must name at least one topic');
  return whenDone(subscriber.prepare(session, subscriptions), (prepared) =>
    session.isClosed
      ? []
      : subscriber.subscribe(session, subscriptions, prepared, (run) => timed(session, run)),
  );
}

function subscribed(
  session: Session,
  command: Fields<'subscribe'>,
  _options: CommandOptions,
  results: readonly SubscribeResult[],
): CommandReply {
  if (session.isClosed) return undefined;
  session.reply(command, { kind: 'subscribed', results });
  session.views.resume();
  return undefined;
}

function setKeys(
  session: Session,
  { view, keys }: Fields<'setKeys'>,
  { subscriber }: CommandOptions,
): Awaitable<Granted> {
  return subscriber.setKeys(session, view, keys);
}

function keysSet(
  session: Session,
  command: Fields<'setKeys'>,
  _options: CommandOptions,
  result: Granted,
): CommandReply {
  if (session.isClosed) return undefined;
  session.reply(command, { kind: 'subscribed', results: [result] });
  session.pump();
  return undefined;
}

/** Ends the subscriptions that exist. It is an error only if none of them exists. */
function unsubscribe(
  session: Session,
  { views = [], topics = [], prefix }: Fields<'unsubscribe'>,
): CommandReply {
  if (views.length + topics.length === 0 && prefix === undefined)
    throw new SluiceError('invalid_request', 'unsubscribe must name views or topics');
  const ids = new Set(views);
  const targets = new Set(topics);
  const ended = [...session.views.values()].filter(
    ({ view, target, isAutomatic }) =>
      ids.has(view.id) ||
      targets.has(target) ||
      (prefix !== undefined && !isAutomatic && target.startsWith(prefix)),
  );
  if (ended.length === 0) throw new SluiceError('not_subscribed');
  for (const sessionView of ended) session.views.remove(sessionView, 'client');
  return { kind: 'unsubscribed', views: ended.map(({ view }) => view.id) };
}

function append(
  session: Session,
  fields: Fields<'publish'>,
  options: CommandOptions,
): Awaitable<readonly AppendOutcome[]> {
  const { authorize, broker, application } = options;
  throwIf(session.pipeline.overtaking(fields));
  throwIf(authorize(session.identity, 'publish', fields.topic));
  const wanted = publishFrom(fields, checked(session, lastingPayload(fields.payload)));
  const publish = () =>
    session.pipeline.publish({ fields: wanted, sent: fields }, (runs) =>
      broker.publishRuns(runs, session.payer),
    );
  if (application.publish === undefined) return publish();
  throwIf(topicNameProblem(wanted.topic) ?? publishProblem(wanted, options.payloadMaxBytes));
  const decision = application.publish(session.asker, [wanted]);
  // Publishes of one session are committed in order, though they wait for the application.
  return session.commands.inOrder(async () => {
    const [problem] = await decision;
    if (problem?.retry === true) session.pipeline.break();
    throwIf(problem ?? session.pipeline.overtaking(fields));
    return publish();
  });
}

function publish(
  _session: Session,
  _fields: Fields<'publish'>,
  _options: CommandOptions,
  [outcome]: readonly AppendOutcome[],
): CommandReply {
  if (outcome === undefined) throw new SluiceError('internal');
  if (!outcome.ok) throw outcome.error;
  const { epoch, offset, duplicate } = outcome;
  return { kind: 'published', epoch, offset, duplicate };
}

function readHistory(
  session: Session,
  { topic, after, limit }: Fields<'history'>,
  { broker, authorize, application }: CommandOptions,
): Awaitable<HistoryPage> {
  throwIf(topicNameProblem(topic));
  const refusal = authorize(session.identity, 'subscribe', topic);
  const wanted = Math.min(limit || defaultHistoryPublications, pageMaxPublications);
  const read = () => broker.history(topic, after, wanted, pageMaxBytes);
  if (application.subscribe === undefined) {
    throwIf(refusal);
    return read();
  }
  const subscription = { topic, permitted: refusal === undefined };
  return whenDone(application.subscribe(session.asker, [subscription]), ([decision]) => {
    const { filter } = readingOf(decision, refusal);
    return filter === undefined ? read() : whenDone(read(), (page) => filteredPage(page, filter));
  });
}

function history(
  session: Session,
  { id, topic }: Fields<'history'>,
  { repliedLarge }: CommandOptions,
  page: HistoryPage,
): CommandReply {
  if (session.isClosed) return undefined;
  const pieces = page.publications
    .filter(({ except }) => except !== session.id)
    .map((publication) => publication.encoded(session.codec));
  const { epoch, upto, more, missing } = page;
  const header = { topic, epoch, after: page.after, upto, more, missing };
  const message = session.codec.frameHistory(id, header, pieces);
  repliedLarge(session, message.length);
  session.outbox.send(message);
  return undefined;
}

function presence(session: Session, { topic }: Fields<'presence'>, options: CommandOptions): CommandReply {
  throwIf(topicNameProblem(topic) ?? options.authorize(session.identity, 'presence', topic));
  const members = options.presence;
  return { kind: 'presence', topic, members: members.list(topic), count: members.count(topic) };
}

function status(session: Session, _: Fields<'status'>, { broker }: CommandOptions): CommandReply {
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

function ping(
  session: Session,
  { roundTripMs, acks }: Fields<'ping'>,
  options: CommandOptions,
): CommandReply {
  if (acks !== undefined) options.inbox.acknowledge(session, acks);
  if (roundTripMs !== undefined && roundTripMs > 0)
    options.metrics.clientRoundTripSeconds.observe(roundTripMs / 1000);
  return { kind: 'pong', timeMs: options.broker.wallMs() };
}

function ask(
  session: Session,
  { method, payload }: Fields<'call'>,
  { answerCall, application }: CommandOptions,
): Awaitable<Payload> {
  const own = answerCall?.(session, method);
  if (own !== undefined) return own;
  const answer = application.call?.(session.asker, method, checked(session, payload ?? nullPayload));
  if (answer === undefined) throw noCalls();
  return whenDone(answer, (result) => {
    if (result instanceof SluiceError) throw result;
    return result;
  });
}

function checked({ codec }: Session, payload: Payload): Payload {
  if (payload.format === 'json' && codec.name === 'protobuf') {
    const problem = jsonPayloadProblem(payload.bytes);
    if (problem !== undefined) throw new SluiceError('invalid_json', problem);
  }
  return payload;
}
