import { writeSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { createLog } from '../../src/log.ts';

vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  writeSync: vi.fn((_: number, bytes: Uint8Array) => bytes.length),
}));

test('the log goes to standard output in a worker thread too, where its stream has no descriptor', () => {
  const { stdout } = process;
  const inThread = vi.spyOn(process, 'stdout', 'get').mockReturnValue(Object.create(stdout, { fd: {} }));
  createLog({ logLevel: 'info', logFormat: 'json' }).info('ready');
  inThread.mockRestore();
  expect(writeSync).toHaveBeenCalledWith(1, expect.anything());
});
