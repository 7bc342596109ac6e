import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { GatewayProcess, lastingPort } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { apiKey } from '../support/tokens.ts';

const sockets: Socket[] = [];
let gateway: GatewayProcess | undefined;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway?.kill();
});

/** Resolves with the status of the response; empty: the connection ended without one. */
function ask(port: number, request: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.9' });
    sockets.push(socket);
    socket.once('data', (data: Buffer) => resolve(data.toString('latin1', 9, 12)));
    socket.once('close', () => resolve(''));
    socket.on('error', () => undefined);
    socket.write(request);
  });
}

function upgrade(port: number): Promise<string> {
  return ask(
    port,
    `PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET /ws?token=${apiKey} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n` +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
}

describe('a gateway that may open 256 files', () => {
  test.each([1, 2])(
    'refuses relayed connections that would take more, serves those that are in, and recovers, with %i processes',
    async (count) => {
      const proxyPort = await lastingPort();
      gateway = await GatewayProcess.startWithFiles(
        256,
        ...['--port', '0', '--proxy-port', String(proxyPort), '--trusted-proxy', '127.0.0.9'],
        ...['--workers', String(count), '--api-key', apiKey, '--connections-max-per-ip', '1000'],
        ...['--handshakes-per-second-per-ip', '1000'],
      );
      const url = `${gateway.url.replace('http', 'ws')}/ws?token=${apiKey}`;
      const inside = await JsonClient.open(url);
      const statuses = await Promise.all(Array.from({ length: 300 }, () => upgrade(proxyPort)));
      const times = (status: string) => statuses.filter((each) => each === status).length;
      expect(times('101')).toBeGreaterThan(40);
      expect([times('101') + times(''), times('101') < 200]).toEqual([300, true]);
      expect((await inside.call({ type: 'ping' })).type).toBe('pong');
      for (const socket of sockets.splice(0)) socket.destroy();
      await expect.poll(() => upgrade(proxyPort)).toBe('101');
      const later = await JsonClient.open(url);
      for (const client of [inside, later]) {
        expect((await client.call({ type: 'ping' })).type).toBe('pong');
        await client.close();
      }
    },
  );

  test('opens a stream with each of those that are for clients', async () => {
    gateway = await GatewayProcess.startWithFiles(
      256,
      ...['--port', '0', '--api-key', apiKey, '--connections-max-per-ip', '1000'],
      ...['--handshakes-per-second-per-ip', '1000'],
    );
    const { port } = new URL(gateway.url);
    const stream = `GET /sse?topic=a&token=${apiKey} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const statuses = await Promise.all(Array.from({ length: 150 }, () => ask(Number(port), stream)));
    expect(statuses).toEqual(Array(150).fill('200'));
  });
});
