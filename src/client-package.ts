/** `npm run build:client`: the built files of the package `sluice-client`. Types are left to the compiler. */

import { readdirSync, rmSync, writeFileSync } from 'node:fs';
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
  // Functions and variables keep their names. The bundler of an application does the rest.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  jsx: 'automatic',
  external: ['react', 'react/jsx-runtime'],
  mangleProps: internalNamesOnly,
  logLevel: 'warning',
});

// The same as CommonJS, for applications that `require` it and for Jest, which reads nothing else by default. It is
// converted file by file: bundled anew, each entry would have a client and error classes of its own.
const modules = readdirSync(outdir, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.js'),
);
await build({
  absWorkingDir: outdir,
  entryPoints: modules,
  outdir: 'cjs',
  format: 'cjs',
  target: 'es2022',
  supported: { 'dynamic-import': false },
  minify: true,
  // Of functions and classes, in traces and tools.
  keepNames: true,
  logLevel: 'warning',
});
writeFileSync(resolve(outdir, 'cjs/package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
