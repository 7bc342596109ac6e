import { describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../../src/engines/memory.ts';
import { nullPayload } from '../../../src/protocol/payload.ts';
import { publishOf } from '../../../src/protocol/publication.ts';
import type { ByteLimits } from '../../../src/sessions/limits/charges.ts';
import type { AppendRequest } from '../../../src/topics/engine.ts';
import { makeGateway, user } from '../fixtures.ts';

/** Takes no append before `resolve`. */
class StoppedEngine extends MemoryEngine {
  resolve: () => void = () => undefined;
  readonly #until = new Promise<void>((resolve) => {
    this.resolve = resolve;
  });

  override append(requests: readonly AppendRequest[]) {
    return this.#until.then(() => super.append(requests));
  }
}

const limits = { perPayer: 2000, total: 16_000, leavesRoom: true };

async function stopped(bounds: ByteLimits = limits) {
  const engine = new StoppedEngine({ nowMs: () => 0, isState: () => false });
  const gateway = await makeGateway({ broker: { engine }, pendingCommands: bounds });
  const connect = (name: string) => {
    const client = gateway.connect(user(name, { permissions: [{ pattern: '*', allow: ['publish'] }] }));
    const codeOf = (id: number) => {
      const [reply] = client.connection.replies(id);
      return reply?.kind === 'error' ? reply.code : reply?.kind;
    };
    const publish = (id: number) => {
      client.command({ kind: 'publish', id, ...publishOf({ topic: 't', type: 'x', payload: nullPayload }) });
      return codeOf(id);
    };
    return { ...client, codeOf, publish };
  };
  const pendingBytes = () => gateway.pendingCommands.total;
  const connectAnonymous = () => gateway.connect();
  return { ...gateway, engine, connect, connectAnonymous, pendingBytes };
}

describe('commands that wait for the engine', () => {
  test('are charged to their payer, refused above its limit, and given back', async () => {
    const { engine, connect, settle, pendingBytes } = await stopped();
    const [one, same, other] = [connect('a'), connect('a'), connect('b')];
    let taken = 0;
    while (one.publish(++taken) === undefined);
    expect(one.codeOf(taken)).toBe('rate_limited');
    expect(pendingBytes()).toBeLessThanOrEqual(limits.perPayer);
    expect(pendingBytes() * (taken / (taken - 1))).toBeGreaterThan(limits.perPayer);
    expect(same.publish(1)).toBe('rate_limited');
    expect(other.publish(1)).toBeUndefined();
    one.command({ kind: 'ping', id: 1000 });
    expect(one.codeOf(1000)).toBe('pong');
    engine.resolve();
    await settle();
    expect([one.codeOf(1), one.codeOf(taken - 1), other.codeOf(1)]).toEqual(Array(3).fill('published'));
    expect(pendingBytes()).toBe(0);
    one.publish(2000);
    await settle();
    expect(one.codeOf(2000)).toBe('published');
  });

  test('of many payers that take all they can leave room for one that comes later', async () => {
    const { connect, pendingBytes } = await stopped();
    for (let i = 0; i < 9; i++) {
      const greedy = connect(`greedy-${i}`);
      for (let id = 1; greedy.publish(id) === undefined; id++);
    }
    expect(pendingBytes()).toBeGreaterThan(0.9 * limits.total);
    expect(connect('late').publish(1)).toBeUndefined();
  });
});

describe('commands that wait for those before them', () => {
  test('are charged until they have had their turn, also where their session has ended', async () => {
    const { engine, connect, settle, tokens, sessions, pendingBytes } = await stopped();
    let verified: () => void = () => undefined;
    const verdict = { ok: false, code: 'unauthorized', message: 'none' } as const;
    tokens.set('slow', new Promise((resolve) => (verified = () => resolve(verdict))));
    for (const ends of [false, true]) {
      const { command, session, codeOf, publish } = connect(`user-${ends}`);
      command({ kind: 'refresh', id: 1, token: 'slow' });
      expect(pendingBytes()).toBeGreaterThan(0);
      for (let id = 2; codeOf(id - 1) === undefined; id++) publish(id);
      if (ends) sessions.close(session);
    }
    verified();
    engine.resolve();
    await settle();
    expect(pendingBytes()).toBe(0);
  });

  test('of unverified sessions of one address are bounded together; one that waits for no other is taken', async () => {
    const gateway = await stopped({ perPayer: 1e9, total: 1e9 });
    const { tokens, engine, settle } = gateway;
    let verified: () => void = () => undefined;
    const verdict = { ok: false, code: 'unauthorized', message: 'none' } as const;
    tokens.set('slow', new Promise((resolve) => (verified = () => resolve(verdict))));
    const topics = Array.from({ length: 300 }, (_, i) => `${'t'.repeat(190)}${i}`);
    const open = () => {
      const { command, connection } = gateway.connectAnonymous();
      command({ kind: 'refresh', id: 1, token: 'slow' });
      const isRefused = (id: number) => {
        command({ kind: 'unsubscribe', id, views: [], topics });
        return connection.replies(id).length > 0;
      };
      return { connection, isRefused };
    };
    // Each takes 58 kB.
    const refused = Array.from({ length: 9 }, open).map(({ isRefused }) => [2, 3, 4, 5].map(isRefused));
    expect(refused.flat()).toEqual([...Array(35).fill(false), true]);
    expect(open().connection.replies(1)).toEqual([]);
    verified();
    engine.resolve();
    await settle();
    const { isRefused } = open();
    expect(isRefused(2)).toBe(false);
  });

  test('the largest message of an unverified session has room beside others that wait', async () => {
    const { tokens, connect } = await makeGateway({ frameMaxBytes: 4 * 1024 * 1024 });
    tokens.set('slow', new Promise(() => undefined));
    const replies = [10, 3 * 1024 * 1024].map((bytes) => {
      const { command, connection } = connect();
      command({ kind: 'refresh', id: 1, token: 'slow' });
      const payload = { format: 'binary', bytes: new Uint8Array(bytes) } as const;
      command({ kind: 'publish', id: 2, ...publishOf({ topic: 't', type: 'x', payload }) });
      return connection.replies(2);
    });
    expect(replies).toEqual([[], []]);
  });
});
