import { expect, test } from 'vitest';
import { createLog } from '../src/log.ts';

function logOf(level: 'info' | 'warn') {
  const lines: string[] = [];
  const log = createLog({ logLevel: level, logFormat: 'json' }, { write: (line) => lines.push(line) });
  return { log, lines };
}

test('writes lines of JSON at the level of the configuration', () => {
  const { log, lines } = logOf('warn');
  log.info('quiet');
  log.warn({ port: 1 }, 'loud');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 40,
    port: 1,
    msg: 'loud',
    time: expect.stringMatching(/Z$/),
  });
});

test('never writes a secret, in whatever object it is', () => {
  const { log, lines } = logOf('info');
  const headers = { authorization: 'hunter2', cookie: 'hunter2', 'x-api-key': 'hunter2' };
  log.info({ token: 'hunter2', config: { apiKeys: ['hunter2'], tokenSecret: 'hunter2' } }, 'start');
  log.child({ session: 's' }).info({ headers, request: { headers } }, 'request');
  log.info({ url: '/ws?since=1&token=hunter2&x=2' }, 'upgrade');
  expect(lines.join()).not.toContain('hunter2');
  expect(lines[2]).toContain('/ws?since=1&token=[redacted]&x=2');
});
