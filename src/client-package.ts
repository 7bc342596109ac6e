/** `npm run build:client`: the built files of the package `sluice-client`. Types are left to the compiler. */

import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { internalNamesOnly } from './client/internal-names.ts';

const folder = resolve(import.meta.dirname, 'client');
const outdir = resolve(folder, 'dist');

rmSync(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: folder,
  entryPoints: ['index.ts', 'json/index.ts', 'page/index.ts', 'react/index.ts'],
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  sourcemap: true,
  // The bundler of an application does the rest.
  minifySyntax: true,
  jsx: 'automatic',
  external: ['react', 'react/jsx-runtime'],
  mangleProps: internalNamesOnly,
  logLevel: 'warning',
});
