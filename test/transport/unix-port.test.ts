import { once } from 'node:events';
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listenForOthers } from '../../src/transport/unix-port.ts';
import { newFolder } from '../support/temporary.ts';

const folder = newFolder();

let number = 0;
const freePath = () => join(folder, `${++number}.sock`);
const ignore = () => undefined;

/** Ends what it accepts and answers. */
const greet = (socket: Socket) => void socket.end('hello');

describe('a unix socket for connections that another process reads', () => {
  test('has the permissions that were asked for, and leaves those of other files as they were', async () => {
    const path = freePath();
    const umask = process.umask();
    const stop = await listenForOthers(path, 0o640, 100, ignore);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(process.umask()).toBe(umask);
    stop();
  });

  test('hands on what connects, replaces a socket that was left behind, and is removed at the end', async () => {
    const path = freePath();
    const left = createServer().listen(`${path}.left`);
    await once(left, 'listening');
    // Closing removes the name that it was opened by, and leaves this one.
    renameSync(`${path}.left`, path);
    left.close();
    const stop = await listenForOthers(path, 0o600, 100, greet);
    const client = connect(path);
    const [text] = (await once(client, 'data')) as [Buffer];
    expect(text.toString()).toBe('hello');
    await once(client, 'close');
    stop();
    expect(existsSync(path)).toBe(false);
  });

  test('keeps what has replaced it meanwhile', async () => {
    const path = freePath();
    const stop = await listenForOthers(path, 0o600, 100, ignore);
    rmSync(path);
    writeFileSync(path, 'of another');
    stop();
    expect(existsSync(path)).toBe(true);
  });

  test.each([
    ['a file', () => writeFileSync(freePath(), ''), () => join(folder, `${number}.sock`), /no socket/],
    ['no folder', ignore, () => join(folder, 'missing', 'a.sock'), /its folder is missing/],
  ])('is refused with the path where there is %s', async (_, prepare, pathOf, problem) => {
    prepare();
    const path = pathOf();
    const refusal = await listenForOthers(path, 0o600, 100, ignore).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'ERR_UNIX_SOCKET', message: expect.stringMatching(problem) });
    expect((refusal as Error).message).toContain(path);
  });

  test('is refused where another process listens', async () => {
    const path = freePath();
    const stop = await listenForOthers(path, 0o600, 100, greet);
    await expect(listenForOthers(path, 0o600, 100, ignore)).rejects.toThrow(/another process listens/);
    stop();
  });
});
