import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { PublishError, Publisher, type PublisherOptions } from '../../src/publisher/index.ts';
import { startGateway } from '../support/gateway.ts';
import { lastingPort } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { gatewayOfFile } from '../support/sdk.ts';
import { newFolder } from '../support/temporary.ts';
import { Front } from './front.ts';

let front: Front;
let topics = 0;
/** Of the test alone. */
let topic: string;

const gateway = gatewayOfFile({ topicHistoryMaxPublications: 10_000 });
beforeEach(async () => {
  topic = `topic-${++topics}`;
  // What an earlier test sent may arrive late: it does not come here.
  front = await Front.before(gateway.url);
  onTestFinished(() => front.close());
});

function publisherOf(options: Partial<PublisherOptions> = {}): Publisher {
  const publisher = new Publisher({ url: front.url, ...options });
  onTestFinished(() => publisher.close());
  return publisher;
}

async function history(name: string, url = gateway.url): Promise<readonly { type: string; data: unknown }[]> {
  const publications: { type: string; data: unknown; offset: number }[] = [];
  for (;;) {
    const after = publications.at(-1)?.offset ?? 0;
    const answer = await fetch(`${url}/api/topics/${name}/history?after=${after}&limit=1000`);
    const page = ((await answer.json()) as { messages: typeof publications }).messages;
    if (page.length === 0) return publications;
    publications.push(...page);
  }
}

const dataOf = async (name: string, url?: string) => (await history(name, url)).map(({ data }) => data);

function codeOf(error: unknown): string {
  expect(error).toBeInstanceOf(PublishError);
  return (error as PublishError).code;
}

/** Publishes 0 to `count` - 1. */
function publishAll(publisher: Publisher, count: number, to = topic) {
  return Promise.all(Array.from({ length: count }, (_, i) => publisher.publish(to, 'n', i)));
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('a publish', () => {
  it('resolves with its position, and carries what it was given', async () => {
    const publisher = publisherOf();
    const client = await JsonClient.open(gateway.wsUrl);
    onTestFinished(() => client.close());
    await client.call({ type: 'subscribe', topic });
    const data = { a: 1 };
    const first = publisher.publish(topic, 'made', data, { tags: { a: '1' }, timestamp: new Date(0) });
    data.a = 2;
    expect(await first).toEqual({ epoch: expect.any(String), offset: 1 });
    expect((await publisher.publish(topic, 'bytes', new Uint8Array([1, 2]))).offset).toBe(2);
    const [made, bytes] = await client.count(topic, 2);
    expect(made).toMatchObject({ type: 'made', data: { a: 1 }, timestamp: '1970-01-01T00:00:00.000Z' });
    expect(bytes).toMatchObject({ type: 'bytes', dataBase64: 'AQI=' });
  });

  it('says that a messageId of the application was seen before, and never so of its own', async () => {
    const publisher = publisherOf();
    const { epoch } = await publisher.publish(topic, 't', 1, { messageId: 'm' });
    expect(await publisher.publish(topic, 't', 1, { messageId: 'm' })).toEqual({
      epoch,
      offset: 1,
      duplicate: true,
    });
    expect(await publisher.publish(topic, 't', 1)).toEqual({ epoch, offset: 2 });
  });

  it('that is wrong is refused alone, with its own code', async () => {
    const publisher = publisherOf();
    const codes = await Promise.all([
      publisher.publish(topic, 't', 1).then(({ offset }) => offset),
      publisher.publish('bad topic', 't').catch(codeOf),
      publisher.publish(topic, 'subscribed').catch(codeOf),
      publisher.publish(topic, 't', () => 1).catch(codeOf),
      publisher.publish(topic, 't', 1, { colour: 'red' } as never).catch(codeOf),
      publisher.publish(topic, 't', 'x'.repeat(65_537)).catch(codeOf),
      publisher.publish(topic, 't', 2).then(({ offset }) => offset),
    ]);
    expect(codes).toEqual([
      ...[1, 'invalid_topic', 'invalid_type', 'unsupported_value', 'invalid_request', 'payload_too_large', 2],
    ]);
    expect(await publisher.publish('bad topic', 't').catch((error) => [error.code, error.retry])).toEqual([
      ...['invalid_topic', false],
    ]);
  });

  it('is refused by a key without permission, with the code of the gateway', async () => {
    const closed = await startGateway({ apiKeys: 'a-key-of-sixteen-characters' });
    onTestFinished(() => closed.close());
    const without = publisherOf({ url: closed.url });
    expect(
      await Promise.all([without.publish('a', 't').catch(codeOf), without.publish('b', 't').catch(codeOf)]),
    ).toEqual([...['unauthorized', 'unauthorized']]);
    const calls: number[] = [];
    const credential = async () => {
      calls.push(1);
      return 'a-key-of-sixteen-characters';
    };
    expect((await publisherOf({ url: closed.url, credential }).publish('a', 't')).offset).toBe(1);
    expect(calls).toHaveLength(1);
  });
});

describe('the connection', () => {
  it('is kept for all requests', async () => {
    const publisher = publisherOf();
    for (const i of numbers(20)) await publisher.publish(topic, 'n', i);
    expect([front.requests.length, front.sockets.length]).toEqual([20, 1]);
  });

  it('is closed, while it is idle, before the other side would', async () => {
    front.intercept = (_, response) => {
      response.setHeader('keep-alive', 'timeout=2');
      response.setHeader('connection', 'keep-alive');
      response.end('{"epoch":"e","offset":1}');
      return true;
    };
    const publisher = publisherOf();
    await publisher.publish(topic, 'n');
    const [socket] = front.sockets;
    await once(socket!, 'end');
    front.intercept = () => false;
    await publisher.publish(topic, 'n');
    expect(front.sockets).toHaveLength(2);
  });

  it('that ends as it is used again is replaced at once, and nothing is published twice', async () => {
    const publisher = publisherOf();
    for (const i of numbers(10)) {
      await publisher.publish(topic, 'n', i);
      front.intercept = (request) => {
        front.intercept = () => false;
        request.socket.destroy();
        return true;
      };
    }
    expect(await dataOf(topic)).toEqual(numbers(10));
    expect(front.sockets).toHaveLength(10);
  });
});

describe('a batch', () => {
  it('takes what is published in one turn, and while a request is out', async () => {
    const publisher = publisherOf();
    const published = await publishAll(publisher, 2500);
    expect(published.map(({ offset }) => offset)).toEqual(numbers(2500).map((i) => i + 1));
    expect(front.requests).toEqual(Array(3).fill('POST /api/publish/batch'));
    expect(await dataOf(topic)).toEqual(numbers(2500));
  });

  it('has at most batchMaxPublications', async () => {
    for (const [count, requests] of [
      [9, 1],
      [10, 1],
      [11, 2],
    ] as const) {
      front.requests.length = 0;
      await publishAll(publisherOf({ batchMaxPublications: 10 }), count, `${topic}-${count}`);
      expect(front.requests).toHaveLength(requests);
    }
  });

  it('has at most batchMaxBytes, and a larger publication goes alone', async () => {
    const publisher = publisherOf({ batchMaxBytes: 10_000 });
    const large = 'x'.repeat(20_000);
    await Promise.all(
      [...numbers(20), large].map((_, i) =>
        publisher.publish(topic, 'n', i === 20 ? large : 'y'.repeat(900)),
      ),
    );
    expect(front.requests).toEqual([...Array(2).fill('POST /api/publish/batch'), 'POST /api/publish']);
  });

  it('becomes smaller where the gateway, or a proxy before it, takes less', async () => {
    const small = await startGateway({ bodyMaxBytes: '128KiB', frameMaxBytes: '128KiB' });
    onTestFinished(() => small.close());
    const front = await Front.before(gateway.url);
    onTestFinished(() => front.close());
    front.intercept = ({ headers }, response) => {
      const isTaken = Number(headers['content-length']) <= 128 * 1024;
      if (!isTaken) response.writeHead(413).end('<h1>Request Entity Too Large</h1>');
      return !isTaken;
    };
    const data = 'x'.repeat(50_000);
    for (const { url } of [small, front]) {
      const publisher = publisherOf({ url, batchMaxBytes: 2 ** 20 });
      const published = await Promise.all(numbers(20).map(() => publisher.publish(topic, 't', data)));
      expect(published.map(({ offset }) => offset)).toEqual(numbers(20).map((i) => i + 1));
    }
  });
});

describe('what fails for now', () => {
  it('outlives a gateway that restarts: with lmdb all is published once, in order', async () => {
    const dataDir = newFolder();
    const options = { engine: 'lmdb', dataDir, port: await lastingPort() } as const;
    const first = await startGateway(options);
    const publisher = publisherOf({ url: first.url, batchMaxPublications: 5, totalTimeoutMs: 200_000 });
    const sent = numbers(300).map((i) => publisher.publish(topic, 'n', i));
    await sent[20];
    await first.close();
    const second = await startGateway(options);
    onTestFinished(() => second.close());
    await Promise.all(sent);
    expect(await dataOf(topic, second.url)).toEqual(numbers(300));
  });

  it('waits as long as Retry-After says, and is told of what comes too late', async () => {
    const times: number[] = [];
    front.intercept = (_, response) => {
      times.push(performance.now());
      if (times.length > 1) return false;
      response.writeHead(429, { 'retry-after': '1' });
      response.end('{"error":{"code":"rate_limited","message":"slower"}}');
      return true;
    };
    expect((await publisherOf().publish(topic, 't')).offset).toBe(1);
    expect(times[1]! - times[0]!).toBeGreaterThan(990);
    const hurried = publisherOf({ totalTimeoutMs: 900 });
    const refused = async () => {
      times.length = 0;
      const error = await hurried.publish(topic, 't').catch((reason: PublishError) => reason);
      return [(error as PublishError).code, (error as PublishError).retryAfterMs, times.length];
    };
    // On a busy machine a response may come after 900 ms.
    await expect.poll(refused).toEqual(['rate_limited', 1000, 1]);
  });

  it('waits as long as the gateway says of one of a batch', async () => {
    const times: number[] = [];
    front.intercept = (_, response) => {
      times.push(performance.now());
      if (times.length > 1) return false;
      const error = { code: 'rate_limited', message: 'slower', retryAfterMs: 1500 };
      response.end(JSON.stringify({ results: [{ epoch: 'e', offset: 1 }, { error }] }));
      return true;
    };
    const publisher = publisherOf();
    await Promise.all([publisher.publish(topic, 't', 1), publisher.publish(`${topic}b`, 't', 2)]);
    expect(times[1]! - times[0]!).toBeGreaterThan(1490);
  });

  it('is sent again after a 503, also of a proxy, and after a request without a response', async () => {
    const troubles = ['gateway', 'proxy', 'silence'];
    front.intercept = (_, response) => {
      const trouble = troubles.shift();
      if (trouble === 'gateway')
        response.writeHead(503).end('{"error":{"code":"shutting_down","message":"later"}}');
      if (trouble === 'proxy') response.writeHead(502).end('<html>');
      return trouble !== undefined;
    };
    const publisher = publisherOf({ requestTimeoutMs: 200 });
    await publishAll(publisher, 3);
    expect(troubles).toEqual([]);
    expect(await dataOf(topic)).toEqual([0, 1, 2]);
  });

  it.each(['<h1>Sign in</h1>', '{}', '[]', '{"status":"ok"}', '{"results":[{},{}]}', '{"epoch":"e"}'])(
    'is not taken for published by a server that responds %s',
    async (body) => {
      front.intercept = (_, response) => {
        response.end(body);
        return true;
      };
      const publisher = publisherOf();
      const one = await publisher.publish(topic, 't').catch(codeOf);
      // In one request.
      const two = [1, 2].map((data) => publisher.publish(topic, 't', data).catch(codeOf));
      expect([one, ...(await Promise.all(two))]).toEqual(Array(3).fill('unexpected_response'));
      expect(await dataOf(topic)).toEqual([]);
    },
  );

  it('is given up after totalTimeoutMs, and what comes after it goes its way', async () => {
    front.intercept = () => true;
    const publisher = publisherOf({ totalTimeoutMs: 300 });
    const error = await publisher.publish(topic, 't', 1).catch((reason: unknown) => reason);
    expect(codeOf(error)).toBe('timed_out');
    expect((error as Error).message).toMatch(/unknown/);
    front.intercept = () => false;
    // On a busy machine a try may take longer than 300 ms.
    const next = () => publisher.publish(topic, 't', 2).then(({ offset }) => offset, codeOf);
    await expect.poll(next).toBeTypeOf('number');
  });

  it('is refused where no server is, in time', async () => {
    const server = await Front.before(gateway.url);
    await server.close();
    const publisher = publisherOf({ url: server.url, totalTimeoutMs: 300 });
    // On a busy machine the first try may come after 300 ms.
    const refused = () => publisher.publish(topic, 't').catch((error: PublishError) => error);
    const message = expect.stringMatching(/: it was not published \(connect ECONNREFUSED .+\)$/);
    await expect.poll(refused).toMatchObject({ code: 'timed_out', message });
  });

  it('that is refused for now holds up its own topic only, which keeps its order', async () => {
    let isBusy = true;
    const answer = async (incoming: IncomingMessage, response: ServerResponse) => {
      const sent = JSON.parse(await text(incoming)) as { topic: string }[] | { topic: string };
      const results = [sent].flat().map((each) => {
        if (each.topic === topic) return { error: { code: 'engine_unavailable', message: 'busy' } };
        return { epoch: 'e', offset: 1 };
      });
      response.end(JSON.stringify(Array.isArray(sent) ? { results } : results[0]));
    };
    front.intercept = (incoming, response) => {
      if (isBusy) void answer(incoming, response);
      return isBusy;
    };
    const publisher = publisherOf();
    const held = [1, 2].map((n) => publisher.publish(topic, 't', n));
    for (let n = 0; n < 5; n++) await publisher.publish(`${topic}-other`, 't', n);
    // Alone, without those that are held.
    expect(front.requests).toContain('POST /api/publish');
    isBusy = false;
    expect((await Promise.all(held)).map(({ offset }) => offset)).toEqual([1, 2]);
    expect(await dataOf(topic)).toEqual([1, 2]);
  });

  it('to a topic that finds no place holds up no other, and is taken in its order once there is one', async () => {
    const limited = await startGateway({ topicsMax: 2, topicHistoryMaxAgeSeconds: 1 });
    onTestFinished(() => limited.close());
    const publisher = publisherOf({ url: limited.url, totalTimeoutMs: 20_000 });
    await publisher.publish('kept', 't');
    // Without a messageId, which would keep its place for 5 minutes.
    expect((await limited.post('/api/publish', '{"topic":"old","type":"t"}')).status).toBe(200);
    const waiting = numbers(3).map((n) => publisher.publish('new', 't', n));
    const others = numbers(150).map((n) => publisher.publish('kept', 't', n));
    const first = await Promise.race([waiting[0], Promise.all(others).then(() => 'others')]);
    expect(first).toBe('others');
    expect((await Promise.all(waiting)).map(({ offset }) => offset)).toEqual([1, 2, 3]);
  });

  it('keeps its order with messages to a user and reports of a job, which are published to topics too', async () => {
    const user = `u-${topic}@example.org`;
    const busyOnce = new Set(['/api/users/', '/api/jobs/']);
    front.intercept = ({ url = '' }, response) => {
      const busy = [...busyOnce].find((path) => url.startsWith(path));
      if (busy === undefined) return false;
      busyOnce.delete(busy);
      response.writeHead(503).end('{"error":{"code":"engine_unavailable","message":"busy"}}');
      return true;
    };
    const publisher = publisherOf();
    await Promise.all([
      publisher.notifyUser(user, 1),
      publisher.publish(`user:${user}`, 't', 2),
      publisher.publish(`user:${user.replace('@', '%40')}`, 't', 3),
      publisher.reportJob(topic, { progress: 1 }),
      publisher.publish(`job:${topic}`, 't', 2),
    ]);
    expect(busyOnce.size).toBe(0);
    expect(await dataOf(encodeURIComponent(`user:${user}`))).toEqual([1, 2, 3]);
    expect(await dataOf(encodeURIComponent(`job:${topic}`))).toEqual([
      expect.objectContaining({ progress: 1 }),
      2,
    ]);
  });

  it('that finds no room for another key is refused at once, and does not hold up what makes room', async () => {
    front.intercept = (_, response) => {
      front.intercept = () => false;
      response.end('{"error":{"code":"too_many_keys","message":"full"}}');
      return true;
    };
    const publisher = publisherOf();
    const added = publisher.publish(topic, 't', 1, { key: 'new' });
    await expect(added).rejects.toMatchObject({ code: 'too_many_keys', retry: false });
    expect(await publisher.publish(topic, 't', null, { key: 'old', removed: true })).toMatchObject({
      offset: 1,
    });
  });

  it('is not sent again after a later one of its topic was taken', async () => {
    front.intercept = (_, response) => {
      front.intercept = () => false;
      const busy = '{"error":{"code":"engine_unavailable","message":"busy"}}';
      response.end(`{"results":[${busy},{"epoch":"e","offset":1},${busy}]}`);
      return true;
    };
    const publisher = publisherOf();
    const outcomes = await Promise.all([
      publisher.publish(topic, 't', 1).catch(codeOf),
      publisher.publish(topic, 't', 2),
      publisher.publish(`${topic}-other`, 't', 3),
    ]);
    expect(outcomes).toEqual([
      'engine_unavailable',
      { epoch: 'e', offset: 1 },
      { epoch: expect.any(String), offset: 1 },
    ]);
  });
});

describe('the queue', () => {
  it('takes up to queueMaxPublications', async () => {
    const publisher = publisherOf({ queueMaxPublications: 5 });
    const outcomes = await Promise.all(
      numbers(6).map((i) => publisher.publish(topic, 'n', i).then(({ offset }) => offset, codeOf)),
    );
    expect(outcomes).toEqual([1, 2, 3, 4, 5, 'queue_full']);
    expect(publisher.queued).toBe(0);
    expect(await publisher.publish(topic, 'n', 6)).toMatchObject({ offset: 6 });
  });

  it('takes up to queueMaxBytes', async () => {
    const body = (data: string) => JSON.stringify({ topic, type: 't', data }).length;
    const room = body('x'.repeat(100));
    const outcomes = (size: number) => {
      const publisher = publisherOf({ queueMaxBytes: room, messageIds: false });
      return publisher.publish(topic, 't', 'x'.repeat(size)).then(() => 'taken', codeOf);
    };
    expect(await Promise.all([99, 100, 101].map(outcomes))).toEqual(['taken', 'taken', 'queue_full']);
  });

  it('is bounded while the gateway is away, and has room again once it has given up', async () => {
    const data = 'x'.repeat(1_000);
    const bytes = JSON.stringify({ topic, type: 't', data }).length;
    const url = `http://127.0.0.1:${await lastingPort()}`;
    const publisher = publisherOf({ url, queueMaxBytes: 3 * bytes, messageIds: false, totalTimeoutMs: 500 });
    const publish = (value: unknown) =>
      publisher.publish(topic, 't', value).catch((error: PublishError) => [error.code, error.retry]);
    const waiting = numbers(3).map(() => publish(data));
    expect(publisher.queued).toBe(3);
    // One that can never fit is not worth a retry.
    const refused = [await publish(data), await publish(''), await publish(data.repeat(4))];
    expect(refused).toEqual([
      ['queue_full', true],
      ['queue_full', true],
      ['queue_full', false],
    ]);
    expect(await Promise.all(waiting)).toEqual(numbers(3).map(() => ['timed_out', true]));
    const next = publish(data);
    expect(publisher.queued).toBe(1);
    expect(await next).toEqual(['timed_out', true]);
  });

  it('is flushed by close, after which nothing is accepted', async () => {
    const publisher = publisherOf();
    const sent = publishAll(publisher, 100);
    await publisher.close();
    expect(await publisher.publish(topic, 'n').catch(codeOf)).toBe('closed');
    expect(await dataOf(topic)).toEqual(numbers(100));
    expect(await sent).toHaveLength(100);
    expect(front.sockets.filter(({ destroyed }) => !destroyed).length).toBeLessThanOrEqual(1);
  });
});

describe('the helpers', () => {
  it('publish each kind of broadcast to its topic', async () => {
    const { send } = publisherOf();
    await Promise.all([
      send.stats({ cpu: 1 }),
      send.ruleChange({ rule_id: 7, action: 'updated', details: { port: 80 } }),
      send.systemEvent('started'),
      send.log('line'),
      send.alert('fire'),
      send.notification('hello'),
    ]);
    const told = await Promise.all(
      ['stats', 'rules', 'system', 'logs', 'alerts', 'notifications'].map(
        async (name) => (await history(name))[0],
      ),
    );
    expect(told.map((each) => [each?.type, each?.data])).toEqual([
      ['stats_update', { cpu: 1 }],
      ['rule_change', { rule_id: 7, action: 'updated', details: { port: 80 } }],
      ['system_event', 'started'],
      ['log', 'line'],
      ['alert', 'fire'],
      ['notification', 'hello'],
    ]);
  });

  it('publish to all sessions', async () => {
    const client = await JsonClient.open(gateway.wsUrl);
    onTestFinished(() => client.close());
    await publisherOf().broadcast('maintenance', { at: 'noon' });
    expect(await client.until(({ type }) => type === 'maintenance')).toMatchObject({
      topic: '$all',
      data: { at: 'noon' },
    });
  });

  it('publish to all devices of a user, and to the others of a device', async () => {
    const publisher = publisherOf();
    const told = await publisher.notifyUser('a/b@example.org', { text: 'hello' });
    expect(told).toEqual({ epoch: expect.any(String), offset: 1, connections: 0 });
    const synced = await publisher.syncUser('a/b@example.org', 'a-session', { read: [1] }, { type: 'read' });
    expect(synced).toMatchObject({ epoch: told.epoch, offset: 2 });
    expect((await history(encodeURIComponent('user:a/b@example.org'))).map(({ type }) => type)).toEqual([
      ...['notification', 'read'],
    ]);
  });

  it.each([undefined, null, '', '\ud800', 5])(
    'refuse the user or job %j, and reach no other',
    async (name) => {
      const publisher = publisherOf();
      const calls = [
        publisher.notifyUser(name as never, 1),
        publisher.syncUser(name as never, 's', 1),
        publisher.reportJob(name as never, { progress: 1 }),
      ];
      expect(await Promise.all(calls.map((call) => call.catch(codeOf)))).toEqual(
        calls.map(() => 'invalid_request'),
      );
      expect(front.requests).toEqual([]);
    },
  );

  it.each([true, false])('report the progress of a job, with a messageId: %j', async (messageIds) => {
    const bodies: object[] = [];
    front.intercept = (incoming) => {
      incoming.on('data', (bytes) => bodies.push(JSON.parse(String(bytes))));
      return false;
    };
    const publisher = publisherOf({ messageIds });
    const id = `import/${topics}`.replace('/', '-');
    expect(await publisher.reportJob(id, { progress: 40, current_step: 'reading' })).toMatchObject({
      offset: 1,
    });
    expect(await publisher.reportJob(id, { progress: 30 }).catch(codeOf)).toBe('job_conflict');
    expect(await publisher.reportJob(id, { status: 'completed' })).toMatchObject({ progress: 100 });
    expect(bodies.map((body) => 'messageId' in body)).toEqual(Array(3).fill(messageIds));
  });
});

describe('forward', () => {
  it('publishes the events of an emitter until it is stopped', async () => {
    const emitter = new EventEmitter();
    const publisher = publisherOf();
    const stop = publisher.forward(emitter, {
      saved: topic,
      moved: (from: string, to: string) => ({ topic, type: 'move', data: { from, to } }),
      ignored: () => undefined,
    });
    emitter.emit('saved', { id: 1 });
    emitter.emit('saved', 1, 2);
    emitter.emit('moved', 'a', 'b');
    emitter.emit('ignored');
    stop();
    stop();
    expect(emitter.eventNames()).toEqual([]);
    await publisher.close();
    expect((await history(topic)).map(({ type, data }) => [type, data])).toEqual([
      ['saved', { id: 1 }],
      ['saved', [1, 2]],
      ['move', { from: 'a', to: 'b' }],
    ]);
  });

  it('refuses what can be no route or listener at once, and takes null for none', async () => {
    const publisher = publisherOf();
    const emitter = new EventEmitter();
    expect(() => publisher.forward(emitter, { saved: 5 } as never)).toThrow(
      /saved must be a topic or a function/,
    );
    expect(() => publisher.forward(emitter, {}, { onError: 'log' as never })).toThrow(
      /onError must be a function/,
    );
    expect(emitter.listenerCount('saved')).toBe(0);
    const errors: Error[] = [];
    publisher.forward(emitter, { saved: () => null }, null as never);
    publisher.forward(emitter, { saved: () => null }, { onError: (error) => errors.push(error) });
    emitter.emit('saved');
    expect([publisher.queued, errors]).toEqual([0, []]);
  });

  it('tells onError of what can not be published, and never throws into the emitter', async () => {
    const emitter = new EventEmitter();
    const errors: Error[] = [];
    const publisher = publisherOf();
    const routes = {
      bad: 'bad topic',
      broken: () => {
        throw new Error('a route that throws');
      },
    };
    publisher.forward(emitter, routes, { onError: (error) => errors.push(error) });
    emitter.emit('broken');
    emitter.emit('bad', 1);
    await publisher.close();
    expect(errors.map(({ message }) => message)).toEqual([
      'a route that throws',
      expect.stringContaining(''),
    ]);
    expect(codeOf(errors[1])).toBe('invalid_topic');
  });
});

describe('the options', () => {
  it('that are null are not given', async () => {
    const names = [
      ...['credential', 'queueMaxPublications', 'queueMaxBytes', 'batchMaxPublications', 'batchMaxBytes'],
      ...['totalTimeoutMs', 'requestTimeoutMs', 'messageIds', 'broadcastNamespace', 'onError'],
    ];
    const none = Object.fromEntries(names.map((name) => [name, null]));
    const publisher = new Publisher({ url: gateway.url, ...none } as never);
    onTestFinished(() => publisher.close());
    await expect(publisher.send.stats({ a: 1 })).resolves.toMatchObject({ offset: expect.any(Number) });
    expect(await (await fetch(`${gateway.url}/api/topics/stats`)).json()).toMatchObject({ topic: 'stats' });
  });

  it('are refused together', () => {
    const options = { url: 'ftp://x', queueMaxBytes: 0, totalTimeoutMs: 240_001, bathMaxBytes: 1 };
    expect(() => new Publisher(options as never)).toThrow(
      /url .*queueMaxBytes .*totalTimeoutMs .*bathMaxBytes is no option/,
    );
    expect(() => new Publisher({ url: 'http://user:secret@host' })).toThrow(/password/);
    expect(() => new Publisher({ url: 'http://user:secret@host' })).not.toThrow(/secret/);
  });

  it.each([
    [{ credential: 5 }, 'credential must be a text in visible ASCII, or a function'],
    [{ messageIds: 'no' }, 'messageIds must be true or false'],
    [{ broadcastNamespace: 'a:b' }, 'broadcastNamespace must be what precedes'],
    [{ onError: 'log' }, 'onError must be a function'],
    [{ broadcastNamespace: 5 }, 'broadcastNamespace must be what precedes'],
    [{ credential: 'two\nlines' }, 'credential must be a text'],
    [{ credential: 'ключ' }, 'credential must be a text'],
  ])('%j is refused', (option, fault) => {
    expect(() => new Publisher({ url: 'http://a', ...option } as never)).toThrow(
      new RegExp(`^[^;]*${fault}`),
    );
  });

  it.each([
    ...['queueMaxPublications', 'queueMaxBytes', 'batchMaxPublications', 'batchMaxBytes'],
    ...['totalTimeoutMs', 'requestTimeoutMs'],
  ])('%s is refused unless it is an integer in its range', (name) => {
    const wrong = [Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY, 1e300, '5', 5n, true, {}, [], [5]];
    for (const value of wrong)
      expect(() => new Publisher({ url: 'http://a', [name]: value } as never)).toThrow(
        `The options of the publisher: ${name} must be an integer from 1 to `,
      );
    expect(() => new Publisher({ url: 'http://a', [name]: 1 })).not.toThrow();
  });

  it.each([5, 'two words', 'two\nlines', {}])('credential may return no %j', async (value) => {
    const publisher = publisherOf({ credential: () => value as string, totalTimeoutMs: 300 });
    // On a busy machine the first try may come after 300 ms.
    await expect.poll(() => publisher.publish(topic, 't').catch(codeOf)).toBe('credential_failed');
    expect(front.requests).toEqual([]);
  });

  it('may name the path below which a proxy serves the gateway', async () => {
    front.intercept = (request) => {
      request.url = request.url?.replace('/below', '');
      return false;
    };
    expect((await publisherOf({ url: `${front.url}/below/` }).publish(topic, 't')).offset).toBe(1);
    expect(front.requests).toEqual(['POST /below/api/publish']);
  });

  it('tell onError of each failure, so that none ends the process', async () => {
    const codes: string[] = [];
    const publisher = publisherOf({ onError: (error) => codes.push(codeOf(error)) });
    void publisher.publish('bad topic', 't');
    await publisher.close();
    await expect.poll(() => codes).toEqual(['invalid_topic']);
  });
});

describe('a slow gateway', () => {
  /** Requests with this topic get no answer until it is released. */
  function stick(stuck: string) {
    let isStuck = true;
    const waiting: (() => void)[] = [];
    front.intercept = (incoming, response) => {
      if (!isStuck) return false;
      void text(incoming).then(async (body) => {
        if (isStuck && body.includes(`"${stuck}"`))
          await new Promise<void>((resolve) => waiting.push(resolve));
        const { method = '', url } = incoming;
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`${gateway.url}${url}`, { method, headers, body });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
      });
      return true;
    };
    return () => {
      isStuck = false;
      for (const release of waiting) release();
    };
  }

  it('holds up the topics of the request that it does not respond to, and no others; each keeps its order', async () => {
    const release = stick(`${topic}-stuck`);
    const publisher = publisherOf();
    const stuck = publisher.publish(`${topic}-stuck`, 't', 0);
    await expect.poll(() => front.requests.length).toBe(1);
    const later = publisher.publish(`${topic}-stuck`, 't', 1);
    for (let n = 0; n < 3; n++) await publishAll(publisher, 2, `${topic}-${n}`);
    release();
    expect((await Promise.all([stuck, later])).map(({ offset }) => offset)).toEqual([1, 2]);
    expect(await dataOf(`${topic}-stuck`)).toEqual([0, 1]);
    for (let n = 0; n < 3; n++) expect(await dataOf(`${topic}-${n}`)).toEqual([0, 1]);
  });

  it('gets one topic at a time what it did not respond to in time, so that the others of that request go on', async () => {
    const release = stick(`${topic}-stuck`);
    const publisher = publisherOf({ requestTimeoutMs: 400 });
    const stuck = publisher.publish(`${topic}-stuck`, 't', 0);
    const others = numbers(3).map((n) => publisher.publish(`${topic}-${n}`, 't', n));
    await Promise.all(others);
    release();
    expect((await stuck).offset).toBe(1);
  });

  it('has at most four requests at once', async () => {
    let out = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    front.intercept = (_, response) => {
      most = Math.max(most, ++out);
      waiting.push(() => {
        out--;
        response.writeHead(200).end('{"epoch":"e","offset":1}');
      });
      return true;
    };
    const publisher = publisherOf();
    const published: Promise<unknown>[] = [];
    for (let n = 0; n < 6; n++) {
      published.push(publisher.publish(`${topic}-${n}`, 't', n));
      await expect.poll(() => out).toBe(Math.min(n + 1, 4));
    }
    // Longer than a request takes to be slow.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(most).toBe(4);
    front.intercept = () => false;
    for (const release of waiting) release();
    await Promise.all(published);
  });
});
