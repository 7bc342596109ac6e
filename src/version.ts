import { createRequire } from 'node:module';

/** Of the package, as `package.json` says. */
export const version = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
