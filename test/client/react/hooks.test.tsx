// @vitest-environment jsdom

import { act, cleanup, render, screen, waitFor } from '@testing-library/react';
import { type ReactNode, StrictMode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import {
  type Client,
  ClientError,
  type ClientStatus,
  type ReceivedPublication,
  SluiceClient,
  type StateMap,
} from '../../../src/client/index.ts';
import {
  ConnectionStatus,
  SluiceProvider,
  type StateMaps,
  typedHooks,
  useConnection,
  useJob,
  useLatest,
  usePresence,
  useRecent,
  useTopic,
  useTopicState,
  useTopics,
} from '../../../src/client/react/index.ts';
import { GatewayProcess, lastingPort } from '../../support/gateway-process.ts';

let gateway: GatewayProcess;
let port: number;

beforeAll(async () => {
  port = await lastingPort();
  gateway = await GatewayProcess.start('--port', String(port), '--origin', '*');
});

afterEach(cleanup);
afterAll(() => gateway.kill());

const url = () => `ws://127.0.0.1:${port}/ws`;
const within = { timeout: 60_000 };

const inPage = (children: ReactNode) => (
  <StrictMode>
    <SluiceProvider url={url()} options={{ jitter: 'none' }}>
      {children}
    </SluiceProvider>
  </StrictMode>
);
const show = (children: ReactNode) => render(inPage(children));

const shows = (text: string) =>
  waitFor(() => expect(screen.getByTestId('shown').textContent).toBe(text), within);

describe('useTopic', () => {
  it('calls the latest listener once per publication, also in strict mode, and renders nothing for it', async () => {
    const heard: string[] = [];
    let renders = 0;
    function Listening({ name }: { readonly name: string }) {
      renders++;
      const { state } = useTopic<number>('heard', ({ data }) => void heard.push(`${name} ${data}`));
      return <p data-testid="shown">{state}</p>;
    }
    const { rerender } = show(<Listening name="a" />);
    await shows('live');
    await gateway.publish('heard', 'update', '', 1);
    await waitFor(() => expect(heard).toEqual(['a 1']), within);
    const before = renders;
    await gateway.publish('heard', 'update', '', 2);
    await waitFor(() => expect(heard).toEqual(['a 1', 'a 2']), within);
    expect(renders).toBe(before);
    rerender(inPage(<Listening name="b" />));
    await gateway.publish('heard', 'update', '', 3);
    await waitFor(() => expect(heard).toEqual(['a 1', 'a 2', 'b 3']), within);
  });

  it('ends the subscription with the component', async () => {
    function Subscribed() {
      return <p data-testid="shown">{useTopic('ended').state}</p>;
    }
    const { unmount } = show(<Subscribed />);
    await shows('live');
    unmount();
    await waitFor(async () => expect(await gateway.metric('sluice_connections')).toBe(0), within);
  });

  it('tells why it is refused', async () => {
    function Refused() {
      const { state, error } = useTopic('$secret');
      return <p data-testid="shown">{`${state} ${error?.code}`}</p>;
    }
    show(<Refused />);
    await shows('refused forbidden');
  });
});

it('useLatest shows the newest publication, also one from before', async () => {
  await gateway.publish('latest', 'update', '', { n: 1 });
  function Latest({ topic }: { readonly topic: string | undefined }) {
    const latest = useLatest<{ n: number }>(topic);
    return <p data-testid="shown">{latest ? `${latest.topic} ${latest.data.n}` : 'nothing'}</p>;
  }
  const { rerender } = show(<Latest topic="latest" />);
  await shows('latest 1');
  await gateway.publish('latest', 'update', '', { n: 2 });
  await shows('latest 2');
  rerender(inPage(<Latest topic={undefined} />));
  await shows('nothing');
});

describe('useTopicState', () => {
  it('renders only when what is selected changes', async () => {
    const topic = 'server:selected';
    await gateway.publish(topic, 'update', 'cpu', 1);
    let renders = 0;
    const cpu = (entries: StateMap<number>) => entries.get('cpu')?.data;
    function Selected() {
      renders++;
      return <p data-testid="shown">{String(useTopicState<number, number | undefined>(topic, cpu))}</p>;
    }
    show(<Selected />);
    await shows('1');
    const before = renders;
    let keys = 0;
    function Counted() {
      const size = useTopicState(topic, (entries) => entries.size);
      keys = size;
      return null;
    }
    show(<Counted />);
    await gateway.publish(topic, 'update', 'memory', 7);
    await waitFor(() => expect(keys).toBe(2), within);
    expect(renders).toBe(before);
    await gateway.publish(topic, 'update', 'cpu', 2);
    await shows('2');
  });

  it('keeps a part that is equal by the given comparison', async () => {
    const topic = 'server:equal';
    await gateway.publish(topic, 'update', 'a', 1);
    const parts = new Set<unknown>();
    let size = 0;
    function Parts() {
      const part = useTopicState<number, { keys: number }>(
        topic,
        (entries) => ({ keys: Math.min(entries.size, 1) }),
        (a, b) => a.keys === b.keys,
      );
      parts.add(part);
      size = useTopicState(topic, (entries) => entries.size);
      return <p data-testid="shown">{part.keys}</p>;
    }
    show(<Parts />);
    await shows('1');
    const before = parts.size;
    await gateway.publish(topic, 'update', 'b', 1);
    await waitFor(() => expect(size).toBe(2), within);
    expect(parts.size).toBe(before);
  });
});

it('useTopicState shows the current keys, with one subscription', async () => {
  for (const key of ['a', 'b', 'c']) await gateway.publish('server:grid', 'update', key, key.toUpperCase());
  const clients = new Set<unknown>();
  function Grid({ keys }: { readonly keys: readonly string[] }) {
    const values = useTopicState<string, string>(
      'server:grid',
      (entries) => [...entries.values()].map(({ data }) => data).join(''),
      Object.is,
      { keys },
    );
    const { subscription } = useTopic('server:grid', undefined, { keys });
    if (subscription) clients.add(subscription);
    return <p data-testid="shown">{values}</p>;
  }
  const { rerender } = show(<Grid keys={['a', 'b']} />);
  const scroll = (...keys: readonly string[]) => rerender(inPage(<Grid keys={keys} />));
  await shows('AB');
  const before = clients.size;
  scroll('b', 'c');
  await shows('BC');
  expect(clients.size).toBe(before);
  scroll();
  await shows('');
  scroll('c');
  await shows('C');
});

it('useRecent shows the newest publications, those from before first', async () => {
  for (let n = 1; n <= 4; n++) await gateway.publish('recent', 'update', '', n);
  function Recent({ count }: { readonly count: number }) {
    const points = useRecent<number>('recent', count);
    return <p data-testid="shown">{points.map(({ data }) => data).join(' ')}</p>;
  }
  const { rerender } = show(<Recent count={3} />);
  await shows('2 3 4');
  await gateway.publish('recent', 'update', '', 5);
  await shows('3 4 5');
  rerender(inPage(<Recent count={4} />));
  await shows('2 3 4 5');
});

describe('useTopics', () => {
  const all = (topics: StateMaps<number>) =>
    [...topics].map(([topic, entries]) => `${topic}=${entries.get('n')?.data}`).join(' ');

  it('shows the state topics of a pattern, those that come and go as well, to each that asks', async () => {
    for (const name of ['a', 'b']) await gateway.publish(`server:list-${name}`, 'update', 'n', 1);
    function List({ id }: { readonly id: string }) {
      return <p data-testid={id}>{useTopics<number, string>('server:list-*', all)}</p>;
    }
    function Lists({ isSecond }: { readonly isSecond: boolean }) {
      return (
        <>
          <List id="shown" />
          {isSecond && <List id="second" />}
        </>
      );
    }
    const { rerender } = show(<Lists isSecond={false} />);
    await shows('server:list-a=1 server:list-b=1');
    rerender(inPage(<Lists isSecond />));
    const second = () => screen.getByTestId('second').textContent;
    await waitFor(() => expect(second()).toBe('server:list-a=1 server:list-b=1'), within);
    await gateway.publish('server:list-c', 'update', 'n', 3);
    await fetch(`${gateway.url}/api/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ topic: 'server:list-a', type: 'update', key: 'n', removed: true }),
    });
    await shows('server:list-b=1 server:list-c=3');
    await waitFor(() => expect(second()).toBe('server:list-b=1 server:list-c=3'), within);
  });

  it('is named where a hook for one topic is given a pattern', () => {
    const Wrong = () => <p>{useTopicState('server:*', ({ size }) => size)}</p>;
    expect(() => renderToString(<Wrong />)).toThrow(
      'server:* is a pattern: useTopics selects from its topics.',
    );
  });
});

it('typedHooks gives the hooks the types of the topics', async () => {
  interface Topics {
    chat: { line: string };
    [server: `server:${string}`]: number;
  }
  const typed = typedHooks<Topics>();
  await gateway.publish('chat', 'line', '', { line: 'hello' });
  await gateway.publish('server:typed', 'update', 'cpu', 7);
  function Typed() {
    const line: string | undefined = typed.useLatest('chat')?.data.line;
    const lines: string[] = typed.useRecent('chat', 5).map(({ data }) => data.line);
    const cpu: number | undefined = typed.useTopicState('server:typed', (all) => all.get('cpu')?.data);
    const cpus: number[] = typed.useTopics(
      'server:typed*',
      (all) => [...all.values()].map((entries) => entries.get('cpu')?.data ?? 0),
      (a, b) => String(a) === String(b),
    );
    typed.useTopic('chat', ({ data }) => data.line.length);
    return <p data-testid="shown">{`${line} ${lines} ${cpu} ${cpus}`}</p>;
  }
  show(<Typed />);
  await shows('hello hello 7 7');
  expectTypeOf(typed.useRecent<'chat'>)
    .parameter(0)
    .toEqualTypeOf<'chat' | null | undefined>();
  expectTypeOf(typed.useLatest<'chat'>).returns.toEqualTypeOf<
    ReceivedPublication<{ line: string }> | undefined
  >();
});

it('usePresence shows who is there, comes and goes, and why it is not known', async () => {
  function Present({ topic }: { readonly topic: string }) {
    const { members, error } = usePresence(topic);
    return <p data-testid="shown">{error?.code ?? members.length}</p>;
  }
  // Without an origin, which pages have: this machine itself may ask who is there.
  const [client, other] = [new SluiceClient(url(), { WebSocket }), new SluiceClient(url(), { WebSocket })];
  await client.connect();
  const { unmount } = render(
    <SluiceProvider client={client}>
      <Present topic="room:here" />
    </SluiceProvider>,
  );
  await shows('1');
  other.subscribe('room:here');
  await other.connect();
  await shows('2');
  other.close();
  await shows('1');
  client.close();
  unmount();
  show(<Present topic="room:here" />);
  await shows('forbidden');
});

it('useJob shows progress until the end', async () => {
  const report = async (body: unknown) => {
    const response = await fetch(`${gateway.url}/api/jobs/7`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  };
  function Progress() {
    const { job, ended } = useJob('7');
    return <p data-testid="shown">{`${job?.progress} ${job?.status} ${ended}`}</p>;
  }
  show(<Progress />);
  await shows('undefined undefined false');
  await report({ progress: 40 });
  await shows('40 running false');
  await report({ status: 'completed' });
  await shows('100 completed true');
});

describe('the connection', () => {
  it('is described in words, counts down, and can be tried at once', async () => {
    show(<ConnectionStatus />);
    await waitFor(() => expect(screen.getByRole('status').textContent).toBe('Live'), within);
    await gateway.kill();
    const retry = await screen.findByRole('button', { name: 'Try now' }, within);
    // An attempt may be under way just now.
    const inWords = /^Offline: .+\. Next attempt in \d+ s Try now$/;
    await waitFor(() => expect(screen.getByRole('status').textContent).toMatch(inWords), within);
    gateway = await GatewayProcess.start('--port', String(port), '--origin', '*');
    act(() => retry.click());
    await waitFor(() => expect(screen.getByRole('status').textContent).toBe('Live'), within);
  });

  it.each([
    ['gateway_unreachable', 'the server does not respond'],
    ['http_version', 'a proxy speaks HTTP/1.0'],
    ['answer_hidden', 'the server refuses this page, perhaps its origin'],
    ['too_many_connections', 'too many connections'],
  ])('says why the client retries: %s', (code, why) => {
    const listeners = new Set<() => void>();
    const retryAtMs = Date.now() + 60_000;
    const statusOf = (name: string) => {
      const error = new ClientError({ code: name, number: 0, retry: true });
      return { state: 'reconnecting', retryAtMs, attempts: 1, error, reason: name } as ClientStatus;
    };
    let status = statusOf('connection_failed');
    const tell = (next: ClientStatus) => {
      status = next;
      for (const listener of listeners) act(listener);
    };
    const getStatus = () => status;
    const on = (_: string, listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    render(
      <SluiceProvider client={{ getStatus, on } as unknown as Client}>
        <ConnectionStatus />
      </SluiceProvider>,
    );
    const shown = () => screen.getByRole('status').textContent;
    expect(shown()).toMatch(/^Offline: the connection was lost\. Next attempt in \d+ s/);
    // The reason is often known later than the time of the next attempt.
    tell(statusOf(code));
    expect(shown()?.startsWith(`Offline: ${why}.`)).toBe(true);
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    tell({ ...statusOf('timeout'), retryAtMs: undefined } as ClientStatus);
    expect(shown()).toBe('Reconnecting: this device is offline');
    vi.restoreAllMocks();
  });

  it('is idle while a server renders', () => {
    function Everything() {
      const { state } = useConnection();
      const topic = useTopic('a').state;
      const size = useTopicState('server:a', (entries) => entries.size);
      return <p>{`${state} ${topic} ${useLatest('a')?.offset} ${size} ${useJob('1').job?.progress}`}</p>;
    }
    const { document } = globalThis;
    try {
      // As on a server.
      Reflect.deleteProperty(globalThis, 'document');
      const html = renderToString(
        <SluiceProvider url="/ws">
          <Everything />
          <ConnectionStatus />
        </SluiceProvider>,
      );
      expect(html).toContain('idle pending undefined 0 undefined');
      expect(html).toContain('Not connected');
    } finally {
      globalThis.document = document;
    }
  });

  it('takes over the page that a server rendered, also where the client has everything before', async () => {
    const client = new SluiceClient(url(), { jitter: 'none' });
    await client.connect();
    await gateway.publish('server:hydrated', 'update', 'a', 7);
    const subscription = client.subscribe('server:hydrated');
    await waitFor(() => expect(subscription.state).toBe('live'), within);
    function Page() {
      const connection = useConnection();
      const latest = useLatest<number>('server:hydrated');
      const size = useTopicState('server:hydrated', (entries) => entries.size);
      return <p data-testid="shown">{`${connection.state} ${latest?.data} ${size}`}</p>;
    }
    const page = (
      <StrictMode>
        <SluiceProvider client={client}>
          <Page />
          <ConnectionStatus />
        </SluiceProvider>
      </StrictMode>
    );
    const container = document.createElement('div');
    container.innerHTML = renderToString(page);
    expect(container.textContent).toBe('idle undefined 0Not connected');
    document.body.append(container);
    const differences: unknown[] = [];
    const root = await act(() =>
      hydrateRoot(container, page, { onRecoverableError: (error) => differences.push(error) }),
    );
    await shows('connected 7 1');
    expect(container.textContent).toBe('connected 7 1Live');
    expect(differences).toEqual([]);
    act(() => root.unmount());
    container.remove();
    client.close();
  });
});
