import { describe, expect, test } from 'vitest';
import { logRefusals } from '../../src/auth/refusals.ts';
import { SluiceError } from '../../src/errors.ts';

function makeLog() {
  const lines: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  const clock = { nowMs: 0 };
  const refused = logRefusals(
    { warn: (fields, message) => lines.push({ fields, message }) },
    () => clock.nowMs,
  );
  return { lines, clock, refused };
}

const source = { address: '192.0.2.1', origin: '' };
const unauthorized = () => new SluiceError('unauthorized', 'this API key is not known');

describe('the log of refusals', () => {
  test('names the door, the address, the page, the user and the key', () => {
    const { lines, refused } = makeLog();
    refused('http', new SluiceError('forbidden', 'no scope', { who: { key: 'backend' } }), source);
    refused('connect', new SluiceError('token_expired', undefined, { who: { user: 'alice' } }), source);
    const page = { ...source, origin: 'https://a.example', host: 'b.example' };
    refused('upgrade', new SluiceError('origin_not_allowed'), page);
    expect(lines.map(({ fields }) => fields)).toEqual([
      { door: 'http', code: 'forbidden', address: '192.0.2.1', key: 'backend' },
      { door: 'connect', code: 'token_expired', address: '192.0.2.1', user: 'alice' },
      {
        door: 'upgrade',
        code: 'origin_not_allowed',
        address: '192.0.2.1',
        origin: 'https://a.example',
        host: 'b.example',
      },
    ]);
    expect(lines[0]?.message).toBe('refused: no scope');
  });

  test('names who meets a limit, and the option that sets it', () => {
    const { lines, refused } = makeLog();
    const limited = new SluiceError('rate_limited');
    const met = [
      ['socket', limited, 'httpConnectionsPerSecondPerIp'],
      ['socket', new SluiceError('too_many_connections'), 'httpConnectionsMax'],
      ['connection', limited, 'handshakesPerSecondPerIp'],
      ['connection', new SluiceError('too_many_connections_of_user'), 'connectionsMaxPerUser'],
      ['command', limited, 'commandsPerSecond'],
      ['http', limited, 'httpRequestsPerSecondPerIp, httpRequestsPerSecondPerUser'],
    ] as const;
    for (const [door, error] of met) refused(door, error, { ...source, session: 's', user: 'alice' });
    expect(lines.map(({ fields }) => fields)).toEqual(
      met.map(([door, { code }, limit]) => {
        return { door, code, limit, session: 's', address: '192.0.2.1', user: 'alice' };
      }),
    );
  });

  test('is silent about everything else', () => {
    const { lines, refused } = makeLog();
    refused('connection', new SluiceError('shutting_down'), source);
    refused('http', new SluiceError('too_many_connections'), source);
    expect(lines).toEqual([]);
  });

  test('keeps to ten lines of a kind and one more every 10 s, which says how many are missing', () => {
    const { lines, clock, refused } = makeLog();
    for (let i = 0; i < 9; i++) refused('http', unauthorized(), source);
    expect(lines).toHaveLength(9);
    for (let i = 0; i < 100; i++) refused('http', unauthorized(), source);
    expect(lines).toHaveLength(10);
    clock.nowMs += 9_999;
    refused('http', unauthorized(), source);
    expect(lines).toHaveLength(10);
    clock.nowMs += 1;
    refused('http', unauthorized(), source);
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)?.fields).toMatchObject({ unlogged: 100 });
    refused('upgrade', unauthorized(), source);
    expect(lines).toHaveLength(12);
  });

  test('shortens what a client says', () => {
    const { lines, refused } = makeLog();
    refused('http', unauthorized(), {
      ...source,
      origin: `https://${'x'.repeat(4000)}`,
      host: 'x'.repeat(4000),
    });
    expect(String(lines[0]?.fields['origin'])).toHaveLength(200);
    expect(String(lines[0]?.fields['host'])).toHaveLength(200);
  });
});
