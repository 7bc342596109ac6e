import { describe, expect, it } from 'vitest';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { harness, publication, settled } from '../support/fakes.ts';

describe('a frame of the gateway', () => {
  it('that cannot be read is reported, and the connection goes on', async () => {
    const h = harness();
    const errors: string[] = [];
    h.client.onError(({ code }) => errors.push(code));
    const socket = await h.arrive();
    socket.onmessage?.({ data: new Uint8Array([0xff, 0xff, 0xff]).buffer });
    expect(errors).toEqual(['invalid_message']);
    const status = h.client.status();
    await settled();
    const known = { session: 's1', connectedAtMs: 1, messageCount: 0, subscriptions: [], timeMs: 2 };
    socket.reply('status', { kind: 'status', ...known } as Reply);
    await expect(status).resolves.toMatchObject(known);
  });

  it('that is a message for this session is told with its data', async () => {
    const h = harness();
    const told: unknown[] = [];
    h.client.on('message', (message) => told.push(message));
    const socket = await h.arrive();
    const bytes = new TextEncoder().encode('{"room":7}');
    socket.push({ kind: 'message', type: 'invited', payload: { format: 'json', bytes } });
    expect(told).toEqual([{ type: 'invited', data: { room: 7 } }]);
  });

  it('that is an error of no command is told', async () => {
    const h = harness();
    const errors: unknown[] = [];
    h.client.onError(({ code, number }) => errors.push([code, number]));
    const socket = await h.arrive();
    socket.push({ kind: 'error', code: 'internal', number: 152, message: 'It failed.', retry: true });
    expect(errors).toEqual([['internal', 152]]);
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('that says that the token expires makes the client get another soon', async () => {
    let count = 0;
    const h = harness({ token: async () => `token-${++count}` });
    const socket = await h.arrive();
    // As on a device that slept through the time at which it would have asked by itself.
    socket.push({ kind: 'tokenExpiring', expiresMs: 1_010_000 });
    await h.runtime.advance(1_000);
    expect(socket.command('refresh').token).toBe('token-2');
  });
});

describe('a client that is closed while its attempt gets a token', () => {
  it('opens no socket', async () => {
    let give = (_token: string) => {};
    const h = harness({ token: () => new Promise<string>((resolve) => (give = resolve)) });
    const connecting = h.client.connect();
    h.client.close();
    give('late');
    await expect(connecting).rejects.toMatchObject({ code: 'closed' });
    await settled();
    expect(h.sockets).toHaveLength(0);
  });
});

describe('publications with exceptSelf', () => {
  it('are left out after a reconnect, of the latest 10 000', async () => {
    const h = harness();
    let socket = await h.arrive();
    const offsets: number[] = [];
    h.client.subscribe('chat', {}, ({ offset }) => offsets.push(offset));
    await settled();
    const granted = { topic: 'chat', view: 1, mode: 'stream', epoch: 'e1', offset: 0 } as const;
    socket.reply('subscribe', { kind: 'subscribed', results: [granted] });
    const count = 10_001;
    const sent: Promise<unknown>[] = [];
    for (let offset = 1; offset <= count; offset++) {
      sent.push(h.client.publish('chat', 'said', null, { exceptSelf: true }));
      socket.reply('publish', { kind: 'published', epoch: 'e1', offset, duplicate: false });
      socket.frames.length = 0;
    }
    await Promise.all(sent);
    await h.comeBack();
    await settled();
    socket = h.socket;
    socket.reply('subscribe', { kind: 'subscribed', results: [{ ...granted, recovered: true }] });
    const publications = Array.from({ length: count + 1 }, (_, index) => publication(index + 1));
    socket.push({ kind: 'batch', view: 1, after: 0, upto: count + 1, publications });
    expect(offsets).toEqual([1, count + 1]);
  });
});
