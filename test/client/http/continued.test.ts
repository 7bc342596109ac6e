import { getEventListeners } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SluiceClient, Subscription } from '../../../src/client/index.ts';
import type { Granted } from '../../../src/protocol/frames.ts';
import type { Reply, ServerFrame } from '../../../src/protocol/server-frames.ts';
import { eventBytes } from '../../../src/transport/event-stream.ts';
import { jsonCodec } from '../../support/codecs.ts';
import { FakeRuntime, type FakeSocket, greeting, harness, publication, settled } from '../support/fakes.ts';

/** A client whose gateway is scripted. */
interface Scripted {
  readonly client: SluiceClient;
  /** Resolves when the client has asked, and been told that it is subscribed. */
  begin(result: Granted): Promise<void>;
  /** The client goes on in another session, which grants it this and then sends these frames. */
  goOn(result: Granted, frames: readonly Reply[]): Promise<void>;
}

interface ScriptedOverHttp extends Scripted {
  /** Responds to a publish. */
  readonly publishes: ((response: Response) => void)[];
  readonly runtime: FakeRuntime;
  /** How many frames of streams the client has read, and how often it has polled. */
  reads(): number;
  /** Responds to the newest request, as soon as it is one for these topics. */
  say(results: readonly Granted[], frames?: readonly Reply[]): Promise<void>;
}

async function byWebSocket(): Promise<Scripted> {
  const h = harness();
  await h.arrive();
  const grant = (socket: FakeSocket, result: Granted) =>
    socket.reply('subscribe', { kind: 'subscribed', results: [result] });
  return {
    client: h.client,
    async begin(result) {
      await settled();
      grant(h.socket, result);
    },
    async goOn(result, frames) {
      h.socket.end();
      await h.runtime.advance(1000);
      h.socket.greet();
      grant(h.socket, result);
      for (const frame of frames) h.socket.push(frame);
    },
  };
}

/**
 * `another`: a stream that the client opens for one more topic, or the next session of its polls. `own`: what the
 * gateway subscribes each session to, with another view.
 */
async function byHttp(
  transport: 'sse' | 'poll',
  another: 'stream' | 'session',
  own: readonly Omit<Granted, 'view'>[] = [],
): Promise<ScriptedOverHttp> {
  const requests: { readonly topics: number; readonly respond: (response: Response) => void }[] = [];
  const publishes: ScriptedOverHttp['publishes'] = [];
  let asked = () => {};
  let views = 0;
  let sessions = 0;
  let reads = 0;
  const runtime = new FakeRuntime();
  runtime.fetch = (url, init) =>
    new Promise((respond, fail) => {
      if (String(url).endsWith('/publish')) {
        publishes.push(respond);
        init?.signal?.addEventListener('abort', () => fail(new Error('aborted')));
        return;
      }
      const { subscriptions } = JSON.parse(String(init?.body)) as { readonly subscriptions: unknown[] };
      if (transport === 'poll') reads++;
      requests.push({ topics: subscriptions.length, respond });
      asked();
    });
  const { client } = harness({ runtime, transports: [transport] });
  const say = async (results: readonly Granted[], frames: readonly Reply[] = []) => {
    while (requests.at(-1)?.topics !== results.length)
      await new Promise<void>((resolve) => {
        asked = resolve;
      });
    const made = own.map((each) => ({ ...each, view: ++views }));
    const subscribed = [made, results].map((each) => ({ kind: 'subscribed', results: each }) as const);
    const all = [{ ...greeting, session: `s${++sessions}` }, ...subscribed, ...frames];
    const bytes = all.map((frame) => jsonCodec.encodeServerFrame({ ...frame, id: 0 } as ServerFrame));
    requests.pop()?.respond(transport === 'sse' ? streamOf(bytes, () => reads++) : responseOf(bytes));
  };
  void client.connect();
  await say([]);
  return {
    client,
    say,
    publishes,
    runtime,
    reads: () => reads,
    begin: (result) => say([result]),
    async goOn(result, frames) {
      if (another === 'session') return say([result], frames);
      client.subscribe('another');
      await say([result, { topic: 'another', view: 99, ...stream, ...none }], frames);
    },
  };
}

const stream = { mode: 'stream' } as const;
const none = { epoch: '', offset: 0 };

/** `read`: called as the client takes one of these. */
function streamOf(frames: readonly Uint8Array[], read: () => void): Response {
  const rest = frames.values();
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> | undefined => {
    const { value: frame, done } = rest.next();
    if (done === true) return new Promise(() => undefined);
    read();
    const { before, event } = eventBytes(frame, 'message');
    controller.enqueue(Buffer.concat([before, Buffer.from('id: c\n'), event]));
    return undefined;
  };
  return new Response(new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 }));
}

function responseOf(frames: readonly Uint8Array[]): Response {
  const events = frames.map((frame) => JSON.parse(Buffer.from(frame).toString()) as unknown);
  return Response.json({ events, cursor: 'c' });
}

/** What it tells, in short, until it has a publication. */
async function toldBy(subscription: Subscription, cause: () => Promise<void>): Promise<unknown[]> {
  const told: unknown[] = [];
  const arrived = new Promise<void>((resolve) => {
    subscription.on('gap', ({ topic, missing }) =>
      told.push(['gap', topic, ...(missing === undefined ? [] : [missing.after, missing.upto])]),
    );
    subscription.on('reset', ({ epoch }) => told.push(['reset', epoch]));
    subscription.on('publication', ({ offset }) => {
      told.push(offset);
      resolve();
    });
  });
  await cause();
  await arrived;
  return told;
}

const wires = {
  WebSocket: () => byWebSocket(),
  'another stream of SSE': () => byHttp('sse', 'stream'),
  'other polls': () => byHttp('poll', 'stream'),
  'another session of the same polls': () => byHttp('poll', 'session'),
};

const at = (epoch: string, offset: number) => ({ epoch, offset });
const missing = (after: number, upto: number) => ({ recovered: false, missing: { after, upto } });

const cases: readonly {
  readonly of: string;
  readonly topic?: 'p:*';
  readonly before: Partial<Granted>;
  readonly result: Partial<Granted>;
  /** The offset of the publication that comes then. */
  readonly next: number;
  readonly told: readonly unknown[];
}[] = [
  {
    of: 'nothing that is lost',
    before: at('e1', 2),
    result: { ...at('e1', 2), recovered: true },
    next: 3,
    told: [],
  },
  {
    of: 'what is lost',
    before: at('e1', 2),
    result: { ...at('e1', 6), ...missing(2, 6) },
    next: 7,
    told: [['gap', 'a', 2, 6]],
  },
  {
    of: 'a loss that the gateway gives no range of',
    before: at('e1', 2),
    result: { ...at('e1', 6), recovered: false },
    next: 7,
    told: [['gap', 'a', 2, 6]],
  },
  {
    of: 'another numbering',
    before: at('e1', 2),
    result: { ...at('e2', 4), recovered: false },
    next: 5,
    told: [['reset', 'e2']],
  },
  {
    of: 'another numbering, and what is lost of it',
    before: at('e1', 2),
    result: { ...at('e2', 4), ...missing(0, 4) },
    next: 5,
    told: [
      ['reset', 'e2'],
      ['gap', 'a', 0, 4],
    ],
  },
  {
    of: 'nothing of the first publication of a topic',
    before: none,
    result: { ...at('e1', 0), recovered: true },
    next: 1,
    told: [],
  },
  {
    of: 'what is lost of a topic that was empty',
    before: none,
    result: { ...at('e1', 4), ...missing(0, 4) },
    next: 5,
    told: [['gap', 'a', 0, 4]],
  },
  {
    of: 'a loss that the gateway gives no range of, of a topic that was empty',
    before: none,
    result: { ...at('e1', 4), recovered: false },
    next: 5,
    told: [['gap', 'a']],
  },
  {
    of: 'a topic that was empty, and may have lost something',
    before: none,
    result: { ...none, recovered: false },
    next: 1,
    told: [['gap', 'a']],
  },
  {
    of: 'nothing of a pattern that lost nothing',
    topic: 'p:*',
    before: none,
    result: { ...none, recovered: true },
    next: 1,
    told: [],
  },
  {
    of: 'a loss in topics of a pattern that the gateway can’t name',
    topic: 'p:*',
    before: none,
    result: { ...none, recovered: false },
    next: 1,
    told: [['gap', 'p:*']],
  },
];

describe.each(Object.entries(wires))('by %s a client goes on in another session, and is told', (_, open) => {
  it.each(cases)('$of', async ({ topic = 'a', before, result, next, told }) => {
    const wire = await open();
    onTestFinished(() => wire.client.close());
    const subscription = wire.client.subscribe(topic);
    const granted = { topic, view: 7, cursor: 'c1', ...stream };
    await wire.begin({ ...granted, ...none, ...before });
    await subscription.ready;
    const where = topic === 'a' ? {} : { topic: 'p:1', epoch: 'e1' };
    const range = { after: next - 1, upto: next, publications: [publication(next)] };
    const heard = await toldBy(subscription, () =>
      wire.goOn({ ...granted, ...none, ...result }, [{ kind: 'batch', view: 7, ...where, ...range }]),
    );
    expect(heard).toEqual([...told, next]);
    if (topic === 'p:*') expect(subscription.positions).toEqual([{ topic: 'p:1', epoch: 'e1', offset: 1 }]);
  });
});

const sessionsOverHttp = [
  ['another stream of SSE', 'sse', 'stream'],
  ['other polls', 'poll', 'stream'],
  ['another session of the same polls', 'poll', 'session'],
] as const;

describe.each(sessionsOverHttp)(
  'what comes by %s before the reply to a publish with `exceptSelf`',
  (...how) => {
    const refusal = { error: { code: 'forbidden', message: 'not there' } };

    it.each([
      ['is left out if it is that publication', Response.json(at('e1', 3)), [4]],
      ['is shown if that was refused', Response.json(refusal, { status: 403 }), [3, 4]],
      ['is shown once the time of a command is over', undefined, [3, 4]],
    ])('%s', async (_, reply, expected) => {
      const [, transport, another] = how;
      const wire = await byHttp(transport, another);
      onTestFinished(() => wire.client.close());
      const subscription = wire.client.subscribe('a');
      const granted = { topic: 'a', view: 7, ...stream, ...at('e1', 2) };
      await wire.begin(granted);
      await subscription.ready;
      const published = wire.client.publish('a', 'update', 1, { exceptSelf: true }).catch(() => undefined);
      const publications = [3, 4].map((offset) => publication(offset));
      const frames = [{ kind: 'batch', view: 7, after: 2, upto: 4, publications }] as const;
      const heard = await toldBy(subscription, async () => {
        await wire.goOn({ ...granted, recovered: true }, frames);
        await settled();
        if (reply === undefined) await wire.runtime.advance(10_000);
        else wire.publishes[0]?.(reply);
        await published;
      });
      await settled();
      expect(heard).toEqual(expected);
    });

    it('is not followed by more until then, though much is there', async () => {
      const [, transport, another] = how;
      const wire = await byHttp(transport, another);
      onTestFinished(() => wire.client.close());
      const subscription = wire.client.subscribe('a');
      const granted = { topic: 'a', view: 7, ...stream, ...at('e1', 2) };
      await wire.begin(granted);
      await subscription.ready;
      const heard: number[] = [];
      subscription.on('publication', ({ offset }) => heard.push(offset));
      const published = wire.client.publish('a', 'update', 1, { exceptSelf: true });
      const frames = Array.from({ length: 100 }, (_, i) => {
        return {
          kind: 'batch',
          view: 7,
          after: 2 + i,
          upto: 3 + i,
          publications: [publication(3 + i)],
        } as const;
      });
      const before = wire.reads();
      await wire.goOn({ ...granted, recovered: true }, frames);
      await settled();
      // The greeting, two replies and the first batch; or one poll, and the one before it that was given up.
      expect(wire.reads() - before).toBeLessThanOrEqual(4);
      expect(heard).toEqual([]);
      wire.publishes[0]?.(Response.json(at('e1', 3)));
      await published;
      await expect.poll(() => heard.length).toBe(99);
      await expect.poll(() => wire.reads() - before).toBeGreaterThan(transport === 'sse' ? 100 : 1);
    });
  },
);

it.each(sessionsOverHttp)(
  'repeats nothing by %s whose gateway does not know the cursor',
  async (_, transport, another) => {
    const wire = await byHttp(transport, another);
    const subscription = wire.client.subscribe('a');
    const granted = { topic: 'a', view: 7, ...stream };
    await wire.begin({ ...granted, ...at('e1', 5) });
    await subscription.ready;
    const publications = [2, 3, 4, 5, 6].map((offset) => publication(offset));
    const frames = [{ kind: 'batch', view: 7, after: 1, upto: 6, publications }] as const;
    const heard = await toldBy(subscription, () =>
      wire.goOn({ ...granted, ...at('e1', 1), recovered: false }, frames),
    );
    expect(heard).toEqual([6]);
    wire.client.close();
  },
);

const joined = { topic: '$all', ...stream, ...at('e1', 2) };
const broadcast = { kind: 'batch', after: 2, upto: 3, publications: [publication(3)] } as const;

it('hears by the next session of its polls what the gateway subscribes each session to', async () => {
  const wire = await byHttp('poll', 'session', [{ ...joined, recovered: true }]);
  const subscription = wire.client.subscribe('$all');
  await subscription.ready;
  const heard = await toldBy(subscription, () => wire.say([], [{ ...broadcast, view: 2 }]));
  expect(heard).toEqual([3]);
  wire.client.close();
});

it.each(['sse', 'poll'] as const)(
  'knows by %s which of its subscriptions the gateway makes later',
  async (transport) => {
    const wire = await byHttp(transport, 'stream');
    const heard: unknown[] = [];
    const bothHeard = new Promise<void>((resolve) => {
      const hear = ({ topic, offset }: { readonly topic: string; readonly offset: number }) => {
        if (heard.push([topic, offset]) === 2) resolve();
      };
      wire.client.on('publication', hear);
      wire.client.subscribe('a').on('publication', hear);
    });
    await wire.say(
      [{ topic: 'a', view: 7, ...stream, ...at('e1', 2) }],
      [
        { kind: 'subscribed', results: [{ ...joined, view: 8 }] },
        { ...broadcast, view: 8 },
        { ...broadcast, view: 7 },
      ],
    );
    await bothHeard;
    expect(heard).toEqual([
      ['$all', 3],
      ['a', 3],
    ]);
    wire.client.close();
  },
);

it('polls at an interval without adding to the listeners of one signal', async () => {
  const runtime = new FakeRuntime();
  const counts: number[] = [];
  runtime.fetch = async (_, init) => {
    counts.push(getEventListeners(init?.signal as AbortSignal, 'abort').length);
    const frames = [greeting, { kind: 'subscribed', results: [] } as const].map((frame) =>
      jsonCodec.encodeServerFrame({ ...frame, id: 0 } as ServerFrame),
    );
    return responseOf(frames);
  };
  const { client } = harness({ runtime, transports: ['poll'], fallbackPollingInterval: 1000 });
  await client.connect();
  while (counts.length < 20) await runtime.advance(1000);
  client.close();
  expect(new Set(counts)).toEqual(new Set([0]));
});

it('is refused only the subscriptions for which a request would be too large', async () => {
  const runtime = new FakeRuntime();
  const error = { code: 'frame_too_large', message: 'at most 2 here' };
  const asked: number[] = [];
  runtime.fetch = async (_, init) => {
    const { subscriptions } = JSON.parse(String(init?.body)) as {
      readonly subscriptions: readonly { readonly topic: string }[];
    };
    asked.push(subscriptions.length);
    if (subscriptions.length > 2) return Response.json({ error }, { status: 413 });
    const results = subscriptions.map(({ topic }, i) => ({ topic, view: 7 + i, ...stream, ...none }));
    const frames = [greeting, { kind: 'subscribed', results: [] }, { kind: 'subscribed', results }] as const;
    const bytes = frames.map((frame) => jsonCodec.encodeServerFrame({ ...frame, id: 0 } as ServerFrame));
    return streamOf(bytes, () => undefined);
  };
  const { client } = harness({ runtime, transports: ['sse'] });
  onTestFinished(() => client.close());
  client.on('error', () => {});
  await client.connect();
  const ready = ['a', 'b', 'c'].map((topic) => client.subscribe(topic).ready.catch(({ code }) => code));
  expect(await Promise.all(ready)).toEqual([undefined, undefined, 'frame_too_large']);
  // By one connection.
  expect(asked).toEqual([0, 3, 3, 3, 2]);
});
