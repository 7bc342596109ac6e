import { expect, test } from 'vitest';
import { ReservedPorts } from '../../../src/server/reserved-ports.ts';
import { listen } from '../../../src/transport/uws/listen.ts';
import { loadUws } from '../../../src/transport/uws/load.ts';
import { lastingPort } from '../../support/gateway-process.ts';

const host = '127.0.0.1';
const uws = loadUws();

test('a port that two gateways open at the same time goes to one of them, and the other is refused', async () => {
  const port = await lastingPort();
  const [first, second] = [new ReservedPorts(), new ReservedPorts()];
  expect(await first.add(host, port)).toBe(port);
  const waits = second.add(host, port);
  const worker = await listen(uws, uws.App(), host, port, true);
  first.release();
  await expect(waits).rejects.toMatchObject({ name: 'ListenError', code: 'EADDRINUSE', port });
  second.release();
  worker.stop();
});

test('waiting for a port can be aborted', async () => {
  const port = await lastingPort();
  const [first, given] = [new ReservedPorts(), new AbortController()];
  await first.add(host, port);
  const waits = new ReservedPorts(given.signal).add(host, port);
  given.abort(new Error('given up'));
  await expect(waits).rejects.toThrow('given up');
  first.release();
});

test('a port that its gateway releases unused goes to the next; one gateway may reserve it on two hosts', async () => {
  const port = await lastingPort();
  const [first, second] = [new ReservedPorts(), new ReservedPorts()];
  await first.add(host, port);
  await first.add('127.0.0.2', port);
  const waits = second.add(host, port);
  first.release();
  expect(await waits).toBe(port);
  second.release();
});
