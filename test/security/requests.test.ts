import { describe, expect, test } from 'vitest';
import { RawSocket } from '../support/raw-socket.ts';
import { gatewayOfFile } from '../support/sdk.ts';

const proxy = '127.0.0.2';

/** Without keys: what this machine asks for itself is done, and nothing else. */
const gateway = gatewayOfFile({ trustedProxies: [proxy] });

const body = '{"topic":"a","type":"e","data":1}';
const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n`;
const length = `Content-Length: ${body.length}`;
const start = (line = 'POST /api/publish HTTP/1.1', host = '127.0.0.1') =>
  `${line}\r\nHost: ${host}\r\nContent-Type: application/json\r\n`;

/** The statuses of all answers that come, until the connection ends or another request is answered. */
async function answersTo(request: string, localAddress?: string) {
  const before = gateway.metrics.publicationsTotal.value;
  const socket = await RawSocket.open(gateway.port, localAddress);
  await socket.send(Buffer.from(request));
  await Promise.race([
    socket.end(),
    socket.until((text) => text.includes('\r\n\r\n')).catch(() => undefined),
  ]);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  const statuses = [...socket.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  const { ended } = socket;
  socket.kill();
  return { statuses, ended, published: gateway.metrics.publicationsTotal.value - before };
}

const publishWith = (host: string, more = '') => `${start(undefined, host)}${more}${length}\r\n\r\n${body}`;

describe('a request is this machine’s own', () => {
  test.each(['127.0.0.1', 'localhost', 'LOCALHOST:1', '[::1]', '127.255.255.254:65535'])(
    'where its Host says so: %s',
    async (host) => {
      expect(await answersTo(publishWith(host))).toMatchObject({ statuses: [200], published: 1 });
    },
  );

  test.each([
    ...[
      '127.0.0.1:80:80',
      '127.0.0.1:',
      '127.0.0.1.',
      '127.1',
      '0x7f.1',
      '2130706433',
      '0.0.0.0',
      '①②⑦.0.0.1',
    ],
    ...['localhost.', 'localhost.evil', 'localhost:x', 'localhost@evil', 'evil#localhost', 'localhost\\evil'],
    ...[
      'localhost/..',
      'localhost evil',
      'localhost,evil',
      '[::1].evil',
      '[::1',
      '::1',
      '[::ffff:127.0.0.1]',
    ],
    '',
  ])('and not where its Host only looks like it: %j', async (host) => {
    expect(await answersTo(publishWith(host))).toMatchObject({ statuses: [403], published: 0 });
  });

  // The binary for Node 20 is an older one; those for 22 and later refuse two lines of Host by themselves.
  const refusal = process.versions.modules === '115' ? 403 : 400;

  test.each(['localhost\r\nHost: evil.example', 'evil.example\r\nHost: localhost'])(
    'but not if it has two: %j',
    async (hosts) => {
      expect(await answersTo(publishWith(hosts))).toMatchObject({ statuses: [refusal], published: 0 });
    },
  );

  test.each([
    ...[
      'null',
      'http://localhost.evil',
      'http://127.0.0.1.evil',
      'http://localhost@evil',
      'file://',
      'localhost',
    ],
    ...[
      'http://localhost:8080@evil',
      'http://evil#localhost',
      'http://evil?localhost',
      '//localhost',
      'http://',
    ],
    ...['http://127.0.0.1/', 'http://127.0.0.1:1', 'http://127.0.0.1 http://evil', 'http://[::1]'],
    ...['http://127.0.0.1\\@evil', 'http://127.0.0.1%2eevil'],
  ])('and not where a page of another origin sends it: %j', async (origin) => {
    expect(await answersTo(publishWith('127.0.0.1', `Origin: ${origin}\r\n`))).toMatchObject({
      statuses: [403],
      published: 0,
    });
    const upgrade = `Origin: ${origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
    const opened = await answersTo(`${start('GET /ws HTTP/1.1')}${upgrade}\r\n`);
    expect(opened.statuses).toEqual([403]);
  });
});

describe('where a request ends', () => {
  test.each([
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n${chunked}\r\n`],
    ['in chunks, in capitals', `TRANSFER-ENCODING: Chunked\r\n\r\n${chunked}\r\n`],
    ['by its length', `${length}\r\n\r\n${body}`],
  ])('it may say %s', async (_, rest) => {
    expect(await answersTo(start() + rest)).toEqual({ statuses: [200], ended: false, published: 1 });
  });

  test('it may ask first', async () => {
    const { statuses, published } = await answersTo(
      `${start()}Expect: 100-continue\r\n${length}\r\n\r\n${body}`,
    );
    expect([statuses[0], published]).toEqual([100, 1]);
  });

  test.each([
    ['a coding that is not known', `Transfer-Encoding: xchunked\r\n\r\n${chunked}\r\n`],
    ['two codings', `Transfer-Encoding: gzip, chunked\r\n\r\n${chunked}\r\n`],
    [
      'two codings in two lines',
      `Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n${chunked}\r\n`,
    ],
    ['a coding and a length', `Transfer-Encoding: chunked\r\n${length}\r\n\r\n${chunked}\r\n`],
    ['no coding and a length', `Transfer-Encoding: identity\r\n${length}\r\n\r\n${body}`],
    ['a list of lengths', `Content-Length: ${body.length}, ${body.length}\r\n\r\n${body}`],
    ['a length with a sign', `Content-Length: +${body.length}\r\n\r\n${body}`],
    ['a length below zero', `Content-Length: -1\r\n\r\n${body}`],
    ['a length beyond all bounds', `Content-Length: 99999999999999999999\r\n\r\n${body}`],
  ])('is not guessed, and its connection ends: %s', async (_, rest) => {
    const { ended, statuses, published } = await answersTo(start() + rest);
    expect([ended, statuses.includes(200), published]).toEqual([true, false, 0]);
  });

  test.each(['POST /api/publish', 'POST /sse', 'POST /poll', 'GET /ws'])(
    'is not guessed behind a proxy: two lengths, %s',
    async (line) => {
      const lengths = `${length}\r\nContent-Length: 1\r\n\r\n${body}`;
      const request = start(`${line} HTTP/1.1`) + lengths;
      expect(await answersTo(request, proxy)).toEqual({ statuses: [], ended: true, published: 0 });
    },
  );

  const upgrade = [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const refused = [...upgrade, 'Sec-WebSocket-Protocol: unknown', ''].join('\r\n');

  test.each([
    ['GET /healthz', ''],
    ['GET /ws', ''],
    ['GET /ws/a', ''],
    ['GET /ws', refused],
  ])('hides no second request in the body of the first: %s %s', async (line, more) => {
    const second = `${start('POST /api/publish HTTP/1.1')}${length}\r\n\r\n${body}`;
    const { published } = await answersTo(
      `${start(`${line} HTTP/1.1`)}${more}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${second}`,
    );
    expect(published).toBe(0);
  });

  test('trailers set no header, and end the connection', async () => {
    const { ended, statuses } = await answersTo(
      `${start(undefined, 'evil.example')}Transfer-Encoding: chunked\r\n\r\n${chunked}Host: 127.0.0.1\r\n\r\n`,
    );
    expect([ended, statuses.includes(200)]).toEqual([true, false]);
  });
});

describe('a request line', () => {
  test.each([
    ['of a proxy', 'CONNECT evil.example:443 HTTP/1.1', 505],
    ['with an absolute address', 'POST http://127.0.0.1/api/publish HTTP/1.1', 505],
    ['with another one', 'POST http://evil.example/api/publish HTTP/1.1', 505],
    ['with an empty segment', 'POST //api/publish HTTP/1.1', 404],
    ['with a dot', 'POST /./api/publish HTTP/1.1', 404],
    ['with an encoded slash', 'POST /api%2fpublish HTTP/1.1', 404],
    ['with a fragment', 'POST /api/publish#a HTTP/1.1', 404],
    ['of TRACE', 'TRACE /api/publish HTTP/1.1', 405],
    ['of a method in small letters', 'post /api/publish HTTP/1.1', 405],
    ['of a method that is no end', `${'X'.repeat(2000)} /api/publish HTTP/1.1`, 405],
  ])('%s publishes nothing', async (_, line, status) => {
    const { statuses, published } = await answersTo(`${start(line)}${length}\r\n\r\n${body}`);
    expect([statuses[0], published]).toEqual([status, 0]);
  });

  test('can not be changed by a header', async () => {
    const overrides = [
      'X-HTTP-Method-Override: POST',
      'X-Original-URL: /api/publish',
      'X-Rewrite-URL: /api/publish',
    ];
    for (const header of overrides) {
      const { published } = await answersTo(
        `${start('GET /healthz HTTP/1.1')}${header}\r\n${length}\r\n\r\n${body}`,
      );
      expect(published).toBe(0);
    }
  });
});
