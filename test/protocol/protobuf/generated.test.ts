import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

/** `npm run proto` in a copy of what it reads. */
describe('the generated code', () => {
  let copy: string;

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'sluice-proto-'));
    await mkdir(join(copy, 'src/protocol/protobuf'), { recursive: true });
    await cp(join(root, 'package.json'), join(copy, 'package.json'));
    await cp(join(root, 'proto'), join(copy, 'proto'), { recursive: true });
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
    await promisify(execFile)('npm', ['run', '--silent', 'proto'], { cwd: copy });
  });

  afterAll(async () => {
    await rm(copy, { recursive: true });
  });

  it.each(['gateway.gen.js', 'gateway.gen.d.ts'])('in %s is that of proto/gateway.proto', async (file) => {
    const [fresh, committed] = await Promise.all(
      [copy, root].map((folder) => readFile(join(folder, 'src/protocol/protobuf', file), 'utf8')),
    );
    expect(fresh === committed, `${file} is stale: npm run proto`).toBe(true);
  });
});
