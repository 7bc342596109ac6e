import { describe, expect, it } from 'vitest';
import { arrived, FakeRuntime, harness, settled } from './support/fakes.ts';

const hourMs = 3_600_000;

describe.each([
  ['an hour back', -hourMs],
  ['an hour ahead', hourMs],
])('when the wall clock is set %s', (_, stepMs) => {
  it('a gap after it is recovered as soon as one before it', async () => {
    const { h, socket } = await arrived();
    h.client.subscribe('a');
    await settled();
    const grant = () =>
      socket.reply('subscribe', {
        kind: 'subscribed',
        results: [{ view: 7, topic: 'a', epoch: 'e1', offset: 0, mode: 'stream', recovered: true }],
      });
    const gap = () => socket.push({ kind: 'batch', view: 7, after: 50, upto: 51, publications: [] });
    grant();
    gap();
    expect(socket.count('subscribe')).toBe(2);
    grant();
    h.runtime.stepWall(stepMs);
    gap();
    await h.runtime.advance(1_000);
    expect(socket.count('subscribe')).toBe(3);
  });

  it('commands time out at the same time', async () => {
    const h = harness({ commandTimeoutMs: 5_000 });
    await h.arrive();
    const codes: string[] = [];
    h.client.history('a').catch(({ code }: { code: string }) => codes.push(code));
    await h.runtime.advance(4_000);
    h.runtime.stepWall(stepMs);
    await h.runtime.advance(999);
    expect(codes).toEqual([]);
    await h.runtime.advance(1);
    expect(codes).toEqual(['timeout']);
  });

  it('a publish without a reply is sent again as usual', async () => {
    const h = harness();
    const first = await h.arrive();
    let failed = false;
    h.client.publish('t', 'x', 1).catch(() => {
      failed = true;
    });
    await settled();
    const { messageId } = first.command('publish');
    first.end();
    h.runtime.stepWall(stepMs);
    const second = await h.arrive();
    expect(second.command('publish').messageId).toBe(messageId);
    expect(failed).toBe(false);
  });

  it('an attempt begins at the same time, also after an inquiry into the last failure', async () => {
    let answer: (response: Response) => void = () => undefined;
    const runtime = new FakeRuntime();
    runtime.fetch = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const h = harness({ runtime });
    void h.client.connect().catch(() => undefined);
    await settled();
    h.socket.end();
    await settled();
    runtime.stepWall(stepMs);
    const body = { error: { code: 'too_many_connections', message: 'full' } };
    answer(new Response(JSON.stringify(body), { status: 503 }));
    await settled();
    await settled();
    await runtime.advance(999);
    expect(h.sockets.length).toBe(1);
    await runtime.advance(1);
    expect(h.sockets.length).toBe(2);
  });

  it('the estimate of the gateway’s clock stays right', async () => {
    const { h, socket } = await arrived();
    socket.reply('ping', { kind: 'pong', timeMs: h.runtime.now() + 480 });
    expect(h.client.getStatus().serverOffsetMs).toBe(480);
    h.runtime.stepWall(stepMs);
    expect(h.client.getStatus().serverOffsetMs).toBe(480 - stepMs);
    socket.end();
    h.runtime.stepWall(-stepMs);
    expect(h.client.getStatus().serverOffsetMs).toBe(480);
  });
});
