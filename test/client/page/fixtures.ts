import { build } from 'esbuild';

/** The page entry of the SDK as one file, and a worker that serves it, by their paths. */
export async function pageFiles() {
  const { outputFiles } = await build({
    entryPoints: [new URL('../../../src/client/page/index.ts', import.meta.url).pathname],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  const type = 'text/javascript';
  return {
    '/page.js': { type, content: outputFiles[0]?.text ?? '' },
    '/worker.js': { type, content: `import { serveWorker } from '/page.js'; serveWorker(globalThis);` },
  };
}
