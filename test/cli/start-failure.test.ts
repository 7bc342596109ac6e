import { describe, expect, test } from 'vitest';
import { startFailure } from '../../src/cli/start-failure.ts';
import { loadConfig } from '../../src/config.ts';
import { ListenError } from '../../src/transport/uws/listen.ts';

const config = loadConfig({ flags: { host: '127.0.0.9', port: 80, engine: 'lmdb', dataDir: '/srv/sluice' } });

const fileError = (code: string) =>
  Object.assign(new Error(`${code}: mkdir`), { code, syscall: 'mkdir', path: '/srv/sluice/lock' });

describe('a gateway that does not start says why', () => {
  test.each([
    ['EADDRINUSE', 'Port 80 of 127.0.0.9 is taken', '--port'],
    ['EACCES', 'Port 80 of 127.0.0.9 may not be used by this user', '--port'],
    ['EADDRNOTAVAIL', '127.0.0.9 is not an address of this machine', '--host'],
    ['EAFNOSUPPORT', '127.0.0.9 is an IPv6 address, and IPv6 is off', '--host'],
    ['EINVAL', 'a link-local address needs its interface', '--host'],
    ['ENOTFOUND', 'The host 127.0.0.9 is unknown', '--host'],
    ['EAI_AGAIN', "The host 127.0.0.9 can't be looked up", '--host'],
    ['EWHATEVER', "The gateway can't start: cannot listen on 127.0.0.9:80: EWHATEVER", ''],
  ])('listening: %s', (code, cause, wayOut) => {
    const sentence = startFailure(new ListenError(code, config.host, config.port), config);
    expect(sentence).toContain(cause);
    expect(sentence).toContain(wayOut);
  });

  test('at the port that it was, when there are several', () => {
    const several = loadConfig({
      flags: { port: 80, adminPort: 81, adminHost: '127.0.0.8', compat: ['b'], compatPort: 82 },
    });
    const failure = (host: string, port: number) =>
      startFailure(new ListenError('EADDRINUSE', host, port), several);
    expect(failure('127.0.0.1', 80)).toMatch(
      /^Port 80 of 127\.0\.0\.1 is taken\. Choose another with --port/,
    );
    expect(failure('127.0.0.8', 81)).toMatch(/^Port 81 of 127\.0\.0\.8 .* with --admin-port/);
    expect(failure('127.0.0.1', 82)).toMatch(/^Port 82 of 127\.0\.0\.1 .* with --compat-port/);
    expect(startFailure(new ListenError('ENOTFOUND', '127.0.0.8', 81), several)).toContain('--admin-host');
  });

  test.each([
    ['EACCES', 'may not be used by this user'],
    ['EPERM', 'may not be used by this user'],
    ['EROFS', 'read-only'],
    ['ENOSPC', 'full'],
    ['ENOTDIR', 'not a folder'],
    ['EEXIST', 'not a folder'],
  ])('a file: %s, whose code a port may have too', (code, cause) => {
    const sentence = startFailure(fileError(code), config);
    expect(sentence).toContain('/srv/sluice/lock ');
    expect(sentence).toContain(cause);
    expect(sentence).toContain('--data-dir');
    expect(sentence).not.toContain('ort 80');
  });

  test('a file, for a reason that is in no table: the system’s own words', () => {
    expect(startFailure(fileError('EIO'), config)).toBe("The gateway can't start: EIO: mkdir");
  });

  test.each([new Error('no binary for this platform'), 'no binary for this platform'])(
    'something else: %s',
    (error) => {
      expect(startFailure(error, config)).toBe("The gateway can't start: no binary for this platform");
    },
  );
});
