import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Logs a line in a worker thread. */
const script = `
  const { Worker } = require('node:worker_threads');
  const inThread = \`import('tsx/esm/api').then(async ({ register }) => {
    register();
    const { createLog } = await import(process.argv[2]);
    createLog({ logLevel: 'info', logFormat: 'json' }).info('ready');
  })\`;
  new Worker(inThread, { eval: true, argv: [process.argv[1]] });
`;

test('the log goes to standard output in a worker thread too, where its stream has no descriptor', async () => {
  const log = new URL('../../src/log.ts', import.meta.url).href;
  const { stdout } = await promisify(execFile)(process.execPath, ['--eval', script, log]);
  expect(stdout).toContain('"msg":"ready"');
});
