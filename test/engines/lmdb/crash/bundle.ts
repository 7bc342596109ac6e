import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * A process's script as one file, which loads in a tenth of a second; in node_modules, from where the packages that it leaves
 * out are found. The caller removes it.
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
