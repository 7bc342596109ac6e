import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { apiKey } from '../support/tokens.ts';

test('a worker that is stopped is replaced once it has 64 MiB to read, and the parent holds no more for it', async () => {
  const gateway = await GatewayProcess.start('--port', '0', '--workers', '2', '--api-key', apiKey);
  try {
    const workers = () =>
      readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8').trim().split(' ').map(Number);
    const parentMiB = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))?.[1]) / 1024;
    const [stopped] = workers() as [number];
    const beforeMiB = parentMiB();
    process.kill(stopped, 'SIGSTOP');
    const items = Array.from({ length: 100 }, (_, i) => ({ topic: `t${i}`, data: 'x'.repeat(60_000) }));
    const request = {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
      body: JSON.stringify(items),
    };
    const publish = () =>
      // Where the stopped process has been given the connection, there is no response.
      fetch(`${gateway.url}/api/publish/batch`, { ...request, signal: AbortSignal.timeout(2000) })
        .then(({ status }) => status)
        .catch(() => 0);
    // The histories of these topics take 25 MiB of it at most, and one copy each of what waits. Without the bound on
    // what waits it is 666 MiB.
    let batches = 0;
    while (workers().includes(stopped) && batches < 60) if ((await publish()) === 200) batches++;
    expect(batches).toBeLessThan(30);
    expect(parentMiB() - beforeMiB).toBeLessThan(300);
    await expect.poll(() => workers().length).toBe(2);
    // All processes answer, so none is waited for in vain.
    const stats = () => fetch(`${gateway.url}/api/stats`, { headers: { 'x-api-key': apiKey } });
    await expect.poll(async () => (await stats()).status).toBe(200);
  } finally {
    await gateway.kill();
  }
});
