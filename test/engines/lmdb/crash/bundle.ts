import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * The script of a process as one file, which loads in a tenth of a second. It is in node_modules, so that it finds the
 * packages. The caller removes it.
 */
export async function bundle(script: URL): Promise<string> {
  const path = fileURLToPath(script);
  const outfile = join(root, 'node_modules/.cache/sluice', `${basename(path, '.ts')}-${process.pid}.mjs`);
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [path],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}
