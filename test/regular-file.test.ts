import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readKeyFile } from '../src/auth/key-document.ts';
import { readRunFile, writeRunFile } from '../src/cli/run-file.ts';
import { loadConfig } from '../src/config.ts';
import { connect } from '../src/engines/redis/connection.ts';
import { checkCertificate } from '../src/server/certificate.ts';
import { makeCertificate } from './support/certificate.ts';
import { newFolder } from './support/temporary.ts';

const folder = newFolder();
const { cert, key } = makeCertificate(folder, 'own');
const pipe = join(folder, 'pipe');
const large = join(folder, 'large');
const directory = join(folder, 'directory');
const device = '/dev/null';
execFileSync('mkfifo', [pipe]);
// A reader of the pipe gets something, so that it does not wait for ever.
const writer = spawn('sh', ['-c', 'exec echo > "$0"', pipe]);
afterAll(() => writer.kill());
mkdirSync(directory);
writeFileSync(large, '');
truncateSync(large, 3 * 2 ** 30);

/** Connecting reads the files first. */
const server = {
  urls: ['rediss://127.0.0.1:1'],
  kind: 'single',
  sentinelName: '',
  username: undefined,
  password: undefined,
  timeoutMs: 1000,
} as const;
const redis = (tlsFiles: object) => connect({ ...server, tlsFiles }, 'commands', () => undefined);

describe.each<[string, (path: string) => unknown]>([
  ['--config', (file) => loadConfig({ file })],
  ['--token-keys-file', readKeyFile],
  ['--tls-cert-file', (certFile) => checkCertificate({ certFile, keyFile: key })],
  ['--tls-key-file', (keyFile) => checkCertificate({ certFile: cert, keyFile })],
  ['--redis-ca-file', (ca) => redis({ ca })],
  ['--redis-cert-file', (path) => redis({ cert: path })],
  ['--redis-key-file', (path) => redis({ key: path })],
])('%s', (_, read) => {
  test.each([
    [pipe, 'is a pipe, not a file'],
    [directory, 'is a folder, not a file'],
    [device, 'is a device, not a file'],
    [large, /is larger than (256|1024)KiB/],
  ])('does not read %s: it %s', async (path, fault) => {
    const reading = (async () => read(path))();
    await expect(reading).rejects.toThrow(fault);
    await expect(reading).rejects.toThrow(path);
  });
});

describe('--run-file', () => {
  const running = { pid: 1, host: '::', port: 1 };

  test.each([pipe, directory, large, device, cert])('leaves %s as it is', (path) => {
    const { ino } = statSync(path);
    expect(() => writeRunFile(path, running)).toThrow(`${path}: is there already, and is no run file`);
    expect(statSync(path).ino).toBe(ino);
    expect(readRunFile(path)).toBeUndefined();
  });

  test('replaces an empty file, and a former run file', () => {
    const path = join(folder, 'run');
    writeFileSync(path, '');
    writeRunFile(path, running);
    writeRunFile(path, { ...running, pid: 2 });
    expect(readFileSync(path, 'utf8')).toContain('"pid":2');
  });
});
