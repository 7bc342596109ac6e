import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { SluiceClient } from '../../../src/client/index.ts';
import { gatewayOfFile, state } from '../../support/sdk.ts';

const gateway = gatewayOfFile({
  topicHistoryMaxPublications: 100_000,
  handshakesPerSecondPerIp: 10_000,
  httpRequestsPerSecondPerIp: 10_000,
  // Each poll that is cut leaves a session for 30 s.
  connectionsMaxPerIp: 5000,
});

/** Passes the response to the `count`th request for a stream or poll to the client, as `near`, in its own way. */
type Pass = (far: AsyncIterable<Buffer>, near: ServerResponse, count: number) => Promise<void>;

/** The size of a greeting and about three publications. */
const rangeBytes = 1000;
/** By how much each response is longer than the one before. */
const stepBytes = 4;

const passTo =
  (end: (near: ServerResponse) => void): Pass =>
  async (far, near, count) => {
    let left = count * stepBytes;
    for await (const piece of far) {
      near.write(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) break;
    }
    end(near);
  };

const ways: Readonly<Record<string, Pass>> = {
  'cuts each response after a few bytes more than the one before': passTo((near) =>
    near.socket?.destroySoon(),
  ),
  'ends each response after a few bytes more than the one before': passTo((near) => near.end()),
  'ends each third response before it begins': async (far, near, count) => {
    let pieces = 0;
    if (count % 3 !== 0)
      for await (const piece of far) {
        near.write(piece);
        if (++pieces === 3) break;
      }
    near.end();
  },
  'holds back the last piece of a response until another comes': async (far, near) => {
    let held: Uint8Array = Buffer.of();
    for await (const piece of far) {
      near.write(held);
      held = piece;
    }
    near.end(held);
  },
};

/** Between a client and the gateway. */
async function openProxy(pass: Pass) {
  const proxy = {
    wsUrl: '',
    responses: 0,
    isReliable: false,
    close: () => server.close().closeAllConnections(),
  };
  const server = createServer((asked, near) => {
    const { method, headers, url: path = '/' } = asked;
    const far = request(gateway.url + path, { method, headers }, (response) => {
      const isOwn = proxy.isReliable || !/^\/(sse|poll)/.test(path);
      near.writeHead(response.statusCode ?? 502, isOwn ? response.headers : typeOf(response.headers));
      if (isOwn) response.pipe(near);
      else pass(response, near, ++proxy.responses).catch(() => near.destroy());
    });
    near.on('close', () => far.destroy());
    far.on('error', () => near.destroy());
    asked.pipe(far);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxy.wsUrl = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
  return proxy;
}

/** Without the length, which the proxy does not keep to. */
function typeOf(headers: Readonly<Record<string, unknown>>) {
  const kept = ['content-type', 'sluice-cursor'].filter((name) => headers[name] !== undefined);
  return Object.fromEntries(kept.map((name) => [name, String(headers[name])]));
}

test.each(
  Object.entries(ways).flatMap(([way, pass]) =>
    (['sse', 'poll'] as const).map((transport) => [way, transport, pass] as const),
  ),
)(
  'through a proxy that %s, a client gets each publication once and in order by %s',
  async (way, transport, pass) => {
    const topic = `${transport}-${Object.keys(ways).indexOf(way)}`;
    const proxy = await openProxy(pass);
    const client = new SluiceClient(proxy.wsUrl, { transports: [transport], reconnect: { delaysMs: [1] } });
    client.onError(() => undefined);
    const heard: number[] = [];
    const gaps: unknown[] = [];
    const subscription = client.subscribe(topic, { since: { epoch: '', offset: 0 } }, ({ offset }) =>
      heard.push(offset),
    );
    subscription.on('gap', (gap) => gaps.push(gap));
    client.connect().catch(() => undefined);
    const enough = way.includes('bytes') ? rangeBytes / stepBytes : way.includes('third') ? 100 : 1;
    let published = 0;
    while (proxy.responses < enough || published < 200) {
      await gateway.publish({ topic, type: 't', data: ++published });
    }
    proxy.isReliable = true;
    await gateway.publish({ topic, type: 't', data: ++published });
    await state(subscription, 'live');
    await expect.poll(() => heard.at(-1)).toBe(published);
    expect(heard).toEqual(Array.from({ length: published }, (_, i) => i + 1));
    expect(gaps).toEqual([]);
    client.close();
    proxy.close();
  },
);
