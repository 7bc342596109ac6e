import { describe, expect, it } from 'vitest';
import type { DelegateEvent } from '../../../src/client/page/delegate.ts';
import { PageClient, type PageClientOptions } from '../../../src/client/page/index.ts';
import { type FromHost, plain, type ToHost } from '../../../src/client/page/messages.ts';
import type { Surroundings } from '../../../src/client/page/surroundings.ts';
import { ReceivedPublication } from '../../../src/client/publication.ts';
import { clientVersion } from '../../../src/client/version.ts';
import { range } from '../../support/numbers.ts';
import { FakeRuntime, greeting, publication, recordedSockets, settled } from '../support/fakes.ts';

const leaderTimeoutMs = 600;

/** A tab that by default never gets the lead, and the tab `x` that has it, played by the test. */
async function following(overrides: Partial<Surroundings> = {}, options: PageClientOptions = {}) {
  const receivers = new Map<string, (message: unknown) => void>();
  const asked: ToHost[] = [];
  const told: FromHost[] = [];
  const surroundings: Surroundings = {
    locks: {
      request: (name, _options, granted) =>
        Promise.resolve(name.endsWith('/leader') ? new Promise(() => undefined) : granted()),
    },
    openChannel(name, receive) {
      if (!name.endsWith('/x')) receivers.set(name, receive);
      const post = (message: unknown) => {
        const { toHost, fromHost } = message as { readonly toHost?: ToHost; readonly fromHost?: FromHost };
        structuredClone(message);
        if (!name.endsWith('/x')) return;
        if (toHost) asked.push(toHost);
        if (fromHost) told.push(fromHost);
      };
      return { post, close: () => undefined };
    },
    isHidden: () => false,
    watch: () => () => undefined,
    nextFrame: (run) => run(),
    digest: async () => 'pages',
    ...overrides,
  };
  const runtime = new FakeRuntime();
  const { sockets, Recorded: WebSocket } = recordedSockets();
  const client = new PageClient('ws://gateway.test/ws', {
    runtime,
    surroundings,
    leaderTimeoutMs,
    WebSocket,
    ...options,
  });
  const seen: number[] = [];
  client.subscribe('t', {}, ({ offset }) => seen.push(offset));
  const connected = client.connect();
  connected.catch(() => undefined);
  await settled();
  const attached = () => asked.flatMap((each) => (each.kind === 'attach' ? [each] : []));
  const toInbox = (letter: object) => {
    for (const [name, receive] of receivers)
      if (name !== 'sluice/pages') receive({ from: 'x', term: 1, ...letter });
  };
  return {
    runtime,
    client,
    connected,
    seen,
    asked,
    told,
    attached,
    sockets,
    toInbox,
    lead: (term = 1) => receivers.get('sluice/pages')?.({ kind: 'leader', tab: 'x', term }),
    send(id: number, after: number, upto: number) {
      const meta = { view: 1, epoch: 'e1' };
      const events: DelegateEvent[] = range(after, upto).map((offset) => [
        'publication',
        new ReceivedPublication('t', publication(offset)),
        meta,
      ]);
      events.push(['at', { epoch: 'e1', offset: upto }, undefined]);
      toInbox({ fromHost: plain({ kind: 'events', id, events }) });
    },
  };
}

it('a tab that takes its leader for gone, and then finds it alive, takes nothing of what it had asked for before', async () => {
  const { runtime, seen, attached, lead, send } = await following();
  lead();
  const [first] = attached();
  send(first!.id, 0, 3);
  await runtime.advance(leaderTimeoutMs * 3);
  // Nothing is heard of a leader that is given up.
  send(first!.id, 3, 53);
  expect(seen).toEqual(range(0, 3));
  lead();
  const second = attached().at(-1);
  expect(second?.options.since).toEqual({ epoch: 'e1', offset: 3 });
  send(first!.id, 53, 54);
  send(second!.id, 3, 54);
  expect(seen).toEqual(range(0, 54));
});

it('a tab asks its leader for everything again when that was deposed and is elected again', async () => {
  const { client, asked, attached, lead, send, toInbox } = await following();
  lead();
  send(attached()[0]!.id, 0, 3);
  const change = { state: 'connecting', previous: 'idle', attempts: 0 } as const;
  toInbox({ fromHost: { kind: 'told', told: ['state', change] } });
  lead(2);
  expect(asked.filter(({ kind }) => kind === 'hello')).toHaveLength(2);
  const [, again] = attached();
  expect(again?.options.since).toEqual({ epoch: 'e1', offset: 3 });
  const connected = { state: 'connected', previous: 'connecting', attempts: 0 } as const;
  toInbox({ term: 2, fromHost: { kind: 'welcome', greeting, change: connected } });
  // Of the former term, and late.
  toInbox({ fromHost: { kind: 'told', told: ['state', change] } });
  expect(client.getStatus().state).toBe('connected');
});

it('hands on what can be cloned, or refuses the call', async () => {
  const { client, asked, attached, lead } = await following();
  lead();
  const proxy = <T extends object>(value: T): T => new Proxy(value, {});
  client.subscribe('u', {
    filter: proxy({ op: 'exists', tag: 'a' } as const),
    ...{ onRow: () => undefined },
  });
  const refused = client.call('m', new Map());
  void client.call('m', proxy({ n: 1 }));
  void client.publish('t', 'x', proxy({ n: 1 }), proxy({ tags: proxy({ a: 'b' }), messageId: 'id' }));
  void client.history('t', proxy({ limit: 5 }));
  await expect(refused).rejects.toMatchObject({ code: 'unsupported_value' });
  await settled();
  expect(attached().at(-1)?.options).toMatchObject({ filter: { op: 'exists', tag: 'a' } });
  expect(asked.flatMap((each) => (each.kind === 'call' ? [[each.name, ...each.args]] : []))).toEqual([
    ['call', 'm', { n: 1 }],
    ['publish', 't', 'x', { n: 1 }, { tags: { a: 'b' }, messageId: 'id' }],
    ['history', 't', { limit: 5 }],
  ]);
});

it('shares only with tabs of the same version, URL and identity', async () => {
  const digested: unknown[] = [];
  await following({
    digest: async (text) => {
      digested.push(JSON.parse(text));
      return 'pages';
    },
  });
  expect(digested).toEqual([[clientVersion, 'ws://gateway.test/ws', '']]);
});

it('`ready` waits as soon as a closed page connects again, before its tab knows who holds the connection', async () => {
  const { client } = await following();
  const subscription = client.subscribe('t');
  client.close();
  await expect(subscription.ready).rejects.toMatchObject({ code: 'closed' });
  client.connect().catch(() => undefined);
  const settling = subscription.ready.then(
    () => 'ready',
    () => 'rejected',
  );
  await settled();
  expect(await Promise.race([settling, Promise.resolve('waits')])).toBe('waits');
});

it('`connect` settles if the leader goes between the state and the greeting that it tells of', async () => {
  const { runtime, connected, lead, toInbox } = await following();
  const change = { state: 'connected', previous: 'connecting', attempts: 0 };
  lead();
  toInbox({ fromHost: { kind: 'told', told: ['state', change] } });
  await runtime.advance(leaderTimeoutMs * 3);
  lead();
  toInbox({ fromHost: { kind: 'welcome', greeting, change } });
  expect(await connected).toEqual(greeting);
});

/** Longer than the gateway remembers a messageId. */
const forgottenMs = 310_000;

it('a tab whose leader goes with a publication under way says to the next one how old it is', async () => {
  const { runtime, client, asked, lead } = await following();
  lead();
  client.publish('t', 'update', 1).catch(() => undefined);
  await runtime.advance(forgottenMs);
  lead();
  const calls = asked.flatMap((each) => (each.kind === 'call' ? [each.args[3]] : []));
  const [first, again] = [calls[0], calls.at(-1)] as { messageId: string; sentMsAgo?: number }[];
  expect(first?.sentMsAgo).toBeUndefined();
  expect(again?.messageId).toBe(first?.messageId);
  expect(again?.sentMsAgo).toBeGreaterThanOrEqual(forgottenMs);
});

it('a leader that was frozen does not publish what another tab may have published meanwhile', async () => {
  const locks: Surroundings['locks'] = {
    request: (name, _options, granted) =>
      Promise.resolve(name.endsWith('/x') ? new Promise(() => undefined) : granted()),
  };
  const { runtime, told, toInbox, sockets } = await following({ locks });
  sockets[0]?.greet();
  await settled();
  const call = (id: number, ageMs: number) => {
    const toHost = { kind: 'call', id, name: 'publish', args: ['t', 'update', id, { messageId: `m${id}` }] };
    toInbox({ atMs: runtime.now() - ageMs, toHost });
  };
  call(1, forgottenMs);
  call(2, 0);
  await settled();
  expect(told.flatMap((each) => (each.kind === 'refusal' ? [[each.id, each.error.code]] : []))).toEqual([
    [1, 'disconnected'],
  ]);
  expect(sockets[0]?.frames.flatMap((each) => (each.kind === 'publish' ? [each.messageId] : []))).toEqual([
    'm2',
  ]);
});

it('shares only once a token says with whom, and asks again for one that failed', async () => {
  const digested: unknown[] = [];
  const digest = async (text: string) => {
    digested.push(JSON.parse(text)[2]);
    return 'pages';
  };
  let failures = 2;
  const token = async () => {
    if (failures-- > 0) throw new Error('no network');
    return `.${btoa('{"sub":"alice"}')}.`;
  };
  const { runtime, client } = await following({ digest }, { token });
  expect(digested).toEqual([]);
  expect(client.getStatus().error?.code).toBe('token_failed');
  await runtime.advance(10_000);
  expect(digested).toEqual(['["alice",null]']);
});

/** A tab that gets the lead as soon as it stands. */
const leading: Surroundings['locks'] = { request: async (_name, _options, granted) => granted() };

it('a tab that leaves and returns in one tick of a coarse clock publishes what it had sent', async () => {
  let leave = (): void => undefined;
  let back = (): void => undefined;
  const watch: Surroundings['watch'] = (_changed, left, returned) => {
    leave = left;
    back = returned;
    return () => undefined;
  };
  const { runtime, client, sockets } = await following({ locks: leading, watch });
  sockets[0]?.greet();
  await runtime.advance(forgottenMs);
  client.publish('t', 'update', 1).catch(() => undefined);
  leave();
  back();
  await settled();
  sockets.at(-1)?.greet();
  await settled();
  expect(sockets.length).toBeGreaterThan(1);
  expect(sockets.at(-1)?.frames.map(({ kind }) => kind)).toContain('publish');
});

it('a publication that has waited for a token for long was never sent, and is', async () => {
  let failures = Number.POSITIVE_INFINITY;
  const token = async () => {
    if (failures-- > 0) throw new Error('no network');
    return 'token';
  };
  const { runtime, client, sockets } = await following({ locks: leading }, { token });
  client.publish('t', 'update', 1).catch(() => undefined);
  await runtime.advance(forgottenMs);
  failures = 0;
  while (sockets.length === 0) await runtime.advance(1_000);
  sockets.at(-1)?.greet();
  await settled();
  expect(sockets.at(-1)?.frames.map(({ kind }) => kind)).toContain('publish');
});

describe('a tab whose token names another user later', () => {
  const tokenOf = (user: string) => `.${btoa(JSON.stringify({ sub: user }))}.`;

  /** Its tokens name `user.name` at the time. */
  async function tabOf(surroundings: Partial<Surroundings> = {}) {
    const user = { name: 'alice', asked: 0 };
    const groups: unknown[] = [];
    const digest = async (text: string) => {
      groups.push(JSON.parse(JSON.parse(text)[2])[0]);
      return 'pages';
    };
    const token = async () => {
      user.asked++;
      return tokenOf(user.name);
    };
    const tab = await following({ digest, ...surroundings }, { token });
    return { ...tab, user, groups };
  }

  it('leaves the tab that it followed, when that asks for a token', async () => {
    const { user, groups, client, asked, toInbox, lead } = await tabOf();
    lead();
    toInbox({ fromHost: { kind: 'renewed' } });
    await settled();
    expect([groups, client.sharing.role, user.asked]).toEqual([['alice'], 'follower', 2]);
    user.name = 'bob';
    toInbox({ fromHost: { kind: 'renewed' } });
    await settled();
    expect([groups, client.sharing.role]).toEqual([['alice', 'bob'], 'undecided']);
    expect(asked.map(({ kind }) => kind)).toContain('bye');
  });

  it('ends the connection that it led, and has another one', async () => {
    const { user, groups, client, told, runtime, sockets, toInbox } = await tabOf({ locks: leading });
    await settled();
    const first = sockets.at(-1);
    first?.greet({ expiresMs: greeting.timeMs + 100_000 });
    await settled();
    toInbox({ toHost: { kind: 'hello' } });
    user.name = 'bob';
    while (user.asked < 2) await runtime.advance(1_000);
    expect([groups, client.sharing.role]).toEqual([['alice', 'bob'], 'leader']);
    expect(first?.closedBy).toBeDefined();
    expect(first?.frames.map(({ kind }) => kind)).not.toContain('refresh');
    expect(told.map(({ kind }) => kind)).not.toContain('renewed');
    await settled();
    const next = sockets.at(-1);
    expect(next).not.toBe(first);
    next?.greet();
    expect(next?.command('connect').token).toBe(tokenOf('bob'));
  });
});
