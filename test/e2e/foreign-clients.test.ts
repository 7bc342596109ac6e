import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fetchEventSource } from '@microsoft/fetch-event-source';
import { EventSource } from 'eventsource';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { TestBrowser } from '../support/browser.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Site, startSite } from '../support/site.ts';

// Clients of other authors get the same publications at the same time, and all their connections are cut.

/** The second one is in state mode, and streams ask for it by a pattern. */
const topics = ['foreign', 'server:foreign'] as const;
const large = JSON.stringify('Größe 世界 🎉 '.repeat(2500));
const binary = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256)).toString('base64');

/** Each with the members of its publish as JSON; those that are undefined are left out. */
const publications: readonly Readonly<Record<string, string>>[] = [
  { data: '"Grüße, 世界 🎉 \\u0000 \\u2028 \u2028\u2029 \\" \\\\ \\ud83c\\udf89 </script>"', type: '"text"' },
  { data: '{"lines":\n[1,\r\n 2,\r 3]\n}', type: '"lines"' },
  { data: '""', type: '"empty-text"', key: '"k"' },
  { data: '{}', type: '"empty-object"', key: '"ключ 🔑"', tags: '{"level":"info","größe":"ß"}' },
  { data: 'null', type: '"null"', key: '"null"' },
  { type: '"none"', key: '"none"' },
  { dataBase64: `"${binary}"`, type: '"bytes"', key: '"k"' },
  { dataBase64: '""', type: '"no-bytes"', key: '"no-bytes"' },
  {
    data: '[0,-0,1.0,1E2,0.1,5e-324,1.7976931348623157e308,9007199254740993,-12345678901234567890]',
    type: '"numbers"',
    key: '"numbers"',
  },
  { data: 'null', type: '"removal"', key: '"k"', removed: 'true' },
  { data: 'true', type: '"k-again"', key: '"k"', tags: '{"level":"critical"}' },
  { data: large, type: '"large"', key: '"large"' },
  { data: 'null', type: '"removal"', key: '"ключ 🔑"', removed: 'true' },
  { data: '{"data":{"topic":"x","offset":9,"messages":[]}}', type: '"like-a-frame"', key: '"last"' },
];

interface Publication {
  readonly topic: string;
  readonly offset: number;
  readonly [member: string]: unknown;
}

/** What comes of a publish. Without a payload it is null. */
function publicationOf(members: Readonly<Record<string, string>>, topic: string, offset: number) {
  const parsed = Object.entries(members).map(([name, json]) => [name, JSON.parse(json) as unknown]);
  const payload = 'dataBase64' in members ? {} : { data: null };
  return { topic, offset, ...payload, ...Object.fromEntries(parsed) } as Publication;
}

const [stream, state] = topics.map((topic) =>
  publications.map((members, i) => publicationOf(members, topic, i + 1)),
) as [Publication[], Publication[]];

/** What each client has in the end: all of the stream in its order, and the newest value of each key of the state. */
const expected = { stream, state: Object.fromEntries(newestOf([{ type: 'batch', messages: state }])) };

type Frame = Readonly<Record<string, unknown>>;

/** The publications of a frame, without what depends on time and client. */
function publicationsOf(frame: Frame): Publication[] {
  const messages = (frame['messages'] ?? ('timestamp' in frame ? [frame] : [])) as Publication[];
  const less = { timestamp: undefined, view: undefined, epoch: undefined, cursor: undefined };
  return messages.map((publication) => ({ ...publication, ...less }));
}

/** By key. A snapshot replaces all, and a removal ends a key. */
function newestOf(frames: readonly Frame[]): Map<unknown, Publication> {
  const newest = new Map<unknown, Publication>();
  for (const frame of frames) {
    if (frame['type'] === 'snapshot' && frame['first'] === true) newest.clear();
    for (const publication of publicationsOf(frame)) {
      if (publication.topic !== topics[1]) continue;
      if (publication['removed'] === true) newest.delete(publication['key']);
      else newest.set(publication['key'], publication);
    }
  }
  return newest;
}

/** A client that is running: the frames that it got, as they came. */
interface Client {
  readonly frames: readonly string[];
  end(): unknown;
}

let gateway: TestGateway;
let site: Site;
let proxy: CuttingProxy;
let browser: TestBrowser;
let page: Page;
let running: readonly { readonly name: string; readonly client: Client }[] = [];

beforeAll(async () => {
  site = await startSite('<!doctype html><title>a page</title>');
  gateway = await startGateway({ origins: [new URL(site.url).origin] });
  proxy = await CuttingProxy.open(gateway.wsUrl);
  browser = await TestBrowser.launch();
  ({ page } = await browser.open(site.url));
});
afterAll(async () => {
  for (const { client } of running) await client.end();
  await browser.close();
  proxy.close();
  site.close();
  await gateway.close();
});

const streamUrl = () => `${proxy.wsUrl.replace(/^ws(.*)ws$/, 'http$1sse')}?topic=foreign&topic=server:*`;

/** Subscribes by hand, and after a loss again since where it was. Runs in a page, too: it uses nothing from outside. */
function follow(
  Socket: typeof globalThis.WebSocket,
  url: string,
  names: readonly string[],
  hear: (text: string) => void,
) {
  const since = new Map<string, { epoch: string; offset: number }>();
  let current: globalThis.WebSocket;
  let isOver = false;
  const note = (frame: Record<string, unknown>) => {
    const results = (frame['results'] ?? [frame]) as { topic: string; epoch?: string; offset: number }[];
    for (const { topic, epoch, offset } of results)
      if (epoch !== undefined) since.set(topic, { epoch, offset: since.get(topic)?.offset ?? offset });
    const messages = (frame['messages'] ?? [frame]) as { topic: string; offset: number }[];
    for (const { topic = String(frame['topic']), offset } of messages) {
      const known = since.get(topic);
      if (known !== undefined && offset > known.offset) known.offset = offset;
    }
  };
  const open = () => {
    current = new Socket(url);
    current.onopen = () => {
      const subscriptions = names.map((topic) => ({ topic, since: since.get(topic) }));
      current.send(JSON.stringify({ type: 'subscribe', id: 1, subscriptions }));
    };
    current.onmessage = ({ data }) => {
      hear(data as string);
      note(JSON.parse(data as string));
    };
    current.onclose = () => void (isOver || setTimeout(open, 100));
  };
  open();
  return () => {
    isOver = true;
    current.close();
  };
}

/** A process that writes a line for each frame; `read` takes the frame from the line. */
function lines(
  command: string,
  args: readonly string[],
  read: (line: string, frames: string[]) => void,
): Client & { readonly ended: Promise<void> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const frames: string[] = [];
  const ended = (async () => {
    let rest = '';
    // Lines end here alone: newer versions of readline end them at U+2028 too.
    for await (const text of child.stdout.setEncoding('utf8')) {
      const all = `${rest}${text as string}`.split('\n');
      rest = all.pop() ?? '';
      for (const line of all) read(line, frames);
    }
  })();
  return { frames, ended, end: () => child.kill() };
}

/** A client in the page: `source` is given a function `hear`, and returns one that ends it. */
async function inPage(name: string, source: string): Promise<Client> {
  const frames: string[] = [];
  await page.exposeFunction(`hear_${name}`, (text: string) => void frames.push(text));
  await page.evaluate(`window.end_${name} = (${source})(window.hear_${name})`);
  return { frames, end: () => page.evaluate(`window.end_${name}()`) };
}

const clients: Readonly<Record<string, () => Client | Promise<Client>>> = {
  ws: () => {
    const frames: string[] = [];
    const Socket = WebSocket as unknown as typeof globalThis.WebSocket;
    return { frames, end: follow(Socket, proxy.wsUrl, topics, (text) => frames.push(text)) };
  },
  'a browser’s WebSocket': () => {
    const args = [proxy.wsUrl, topics].map((each) => JSON.stringify(each));
    return inPage('socket', `(hear) => (${follow})(WebSocket, ${args}, hear)`);
  },
  'a browser’s EventSource': () =>
    inPage(
      'source',
      `(hear) => {
        const source = new EventSource(${JSON.stringify(streamUrl())});
        for (const name of ['message', 'subscribed'])
          source.addEventListener(name, ({ data }) => hear(data));
        return () => source.close();
      }`,
    ),
  'the package eventsource': () => {
    const frames: string[] = [];
    const source = new EventSource(streamUrl());
    for (const name of ['message', 'subscribed'])
      source.addEventListener(name, ({ data }) => frames.push(data as string));
    return { frames, end: () => source.close() };
  },
  'the package @microsoft/fetch-event-source': () => {
    const frames: string[] = [];
    const controller = new AbortController();
    // It is made for pages, and asks for nothing but these.
    const document = { hidden: false, addEventListener: () => {}, removeEventListener: () => {} };
    Object.assign(globalThis, { document, window: globalThis });
    const { signal } = controller;
    const onmessage = ({ data }: { data: string }) => data !== '' && frames.push(data);
    void fetchEventSource(streamUrl(), { signal, openWhenHidden: true, onmessage, onerror: () => 100 });
    return {
      frames,
      end: () => {
        controller.abort();
        for (const name of ['document', 'window']) Reflect.deleteProperty(globalThis, name);
      },
    };
  },
  'curl -N, with the last id by hand': () => {
    const frames: string[] = [];
    let cursor = '';
    let data: string[] = [];
    let isOver = false;
    let curl: ReturnType<typeof lines> | undefined;
    const read = (line: string) => {
      if (line.startsWith('id: ')) cursor = line.slice(4);
      if (line.startsWith('data: ')) data.push(line.slice(6));
      if (line !== '' || data.length === 0) return;
      frames.push(data.join('\n'));
      data = [];
    };
    const run = async () => {
      while (!isOver) {
        data = [];
        const header = cursor === '' ? [] : ['-H', `Last-Event-ID: ${cursor}`];
        curl = lines('curl', ['-sN', ...header, streamUrl()], read);
        await curl.ended;
      }
    };
    void run();
    return {
      frames,
      end: () => {
        isOver = true;
        curl?.end();
      },
    };
  },
  'Debian’s python3-websockets': () => {
    const script = fileURLToPath(new URL('clients/websocket.py', import.meta.url));
    const read = (line: string, frames: string[]) => frames.push(JSON.parse(line) as string);
    return lines('/usr/bin/python3', [script, proxy.wsUrl, ...topics], read);
  },
};

/** Times that the gateway told it what it is subscribed to. */
const subscribedIn = ({ frames }: Client) =>
  frames.filter((text) => text.includes('"subscribed"') && text.includes('"server:')).length;

test('clients of other authors get the same publications, each once and in order, through cuts', async () => {
  running = await Promise.all(
    Object.entries(clients).map(async ([name, start]) => ({ name, client: await start() })),
  );
  const allSubscribed = (times: number) =>
    expect
      .poll(() => running.filter(({ client }) => subscribedIn(client) < times).map(({ name }) => name), {
        timeout: 20_000,
      })
      .toEqual([]);
  const third = Math.ceil(publications.length / 3);
  for (const [i, members] of publications.entries()) {
    // What comes right after a cut is what they have missed when they are back.
    if (i === 0 || i % third === 2) await allSubscribed(Math.floor(i / third) + 1);
    const body = Object.entries(members).map(([name, json]) => `"${name}":${json}`);
    for (const topic of topics) {
      const answer = await gateway.post('/api/publish', `{"topic":"${topic}",${body.join()}}`);
      expect([members['type'], answer.status]).toEqual([members['type'], 200]);
    }
    if ((i + 1) % third === 0) proxy.cut();
  }
  for (const { name, client } of running) {
    const had = () => {
      const frames = client.frames.map((text) => JSON.parse(text) as Frame);
      const ofStream = frames.flatMap(publicationsOf).filter(({ topic }) => topic === topics[0]);
      return { stream: ofStream, state: Object.fromEntries(newestOf(frames)) };
    };
    await expect.poll(() => [name, had()]).toEqual([name, expected]);
    // Byte for byte, but for line ends, which Server-Sent Events write in one way.
    const all = client.frames.join('\n').replaceAll(/\r\n?/g, '\n');
    for (const { data = '' } of publications)
      expect([name, all.includes(`"data":${data.replaceAll(/\r\n?/g, '\n')}`)]).toEqual([name, true]);
  }
});
