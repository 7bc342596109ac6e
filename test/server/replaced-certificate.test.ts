import { renameSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { checkCertificate, stampOf } from '../../src/server/certificate.ts';
import { ReplacedCertificate } from '../../src/server/replaced-certificate.ts';
import { makeCertificate } from '../support/certificate.ts';
import { newFolder } from '../support/temporary.ts';

/** A port whose certificate is then replaced. `listen`: what happens when it listens anew. */
function replacedBy(listen: () => Promise<void>) {
  const folder = newFolder();
  const { cert: certFile, key: keyFile } = makeCertificate(folder, 'used');
  const files = { certFile, keyFile };
  const listening: string[] = [];
  const errors: unknown[] = [];
  const clock = { nowMs: 0 };
  const listener = (name: string) => {
    listening.push(name);
    return { port: 1, stop: () => void listening.splice(listening.indexOf(name), 1) };
  };
  const certificate = new ReplacedCertificate({
    files,
    stamp: stampOf(files),
    checked: checkCertificate(files),
    listening: listener('old'),
    monotonicMs: () => clock.nowMs,
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: (...line: unknown[]) => void errors.push(line),
    },
    listenAnew: async () => {
      await listen();
      return listener('new');
    },
  });
  const next = makeCertificate(folder, 'next');
  renameSync(next.cert, certFile);
  renameSync(next.key, keyFile);
  return { certificate, listening, errors, clock };
}

test('a certificate for which the port could not listen is tried again after a minute', async () => {
  let attempts = 0;
  const { certificate, listening, errors, clock } = replacedBy(async () => {
    if (++attempts === 1) throw new Error('EMFILE');
  });
  certificate.sweep();
  await expect.poll(() => errors).toHaveLength(1);
  clock.nowMs = 59_999;
  certificate.sweep();
  await setImmediate();
  expect(attempts).toBe(1);
  clock.nowMs = 60_000;
  certificate.sweep();
  await expect.poll(() => listening).toEqual(['new']);
  clock.nowMs = 120_000;
  certificate.sweep();
  expect([attempts, errors.length]).toEqual([2, 1]);
});

test('a gateway that is stopped while its certificate is being replaced accepts nothing more', async () => {
  const { certificate, listening } = replacedBy(async () => certificate.stop());
  expect(await certificate.reload()).toBeUndefined();
  expect(listening).toEqual([]);
});
