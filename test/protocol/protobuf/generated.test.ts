import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { newFolder } from '../../support/temporary.ts';

const root = resolve(import.meta.dirname, '../../..');

/** `npm run proto` in a copy of what it reads. */
describe('the generated code', () => {
  const copy = newFolder();

  beforeAll(async () => {
    await mkdir(join(copy, 'src/protocol/protobuf'), { recursive: true });
    await cp(join(root, 'package.json'), join(copy, 'package.json'));
    await cp(join(root, 'proto'), join(copy, 'proto'), { recursive: true });
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
    await promisify(execFile)('npm', ['run', '--silent', 'proto'], { cwd: copy });
  });

  it.each(['from-client.gen.js', 'from-client.gen.d.ts', 'to-client.gen.js', 'to-client.gen.d.ts'])(
    'in %s is that of proto/gateway.proto',
    async (file) => {
      const [fresh, committed] = await Promise.all(
        [copy, root].map((folder) => readFile(join(folder, 'src/protocol/protobuf', file), 'utf8')),
      );
      expect(fresh === committed, `${file} is stale: npm run proto`).toBe(true);
    },
  );
});
