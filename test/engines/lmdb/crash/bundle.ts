import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * A process's script as one file, which loads in a tenth of a second; in node_modules, from where the packages that it leaves
 * out are found. The caller removes it.
 */
export async function bundle(name: 'publisher' | 'racer'): Promise<string> {
  const outfile = join(root, 'node_modules/.cache/sluice', `crash-${name}-${process.pid}.mjs`);
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [fileURLToPath(new URL(`./${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}
