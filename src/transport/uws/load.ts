import type * as uws from 'uWebSockets.js';
import { createRequire } from 'node:module';

export type Uws = typeof uws;
export type App = uws.TemplatedApp;

/** Thrown when no binary of uWebSockets.js fits this machine. `code` is for the command line. */
class UwsLoadError extends Error {
  readonly code = 'ERR_UWS_LOAD';

  constructor(cause: unknown) {
    super(
      `uWebSockets.js has no binary that loads here: Node ${process.version} (ABI ${process.versions.modules}), ` +
        `${process.platform} ${process.arch}. Node 20 needs glibc 2.27 or later, Node 22 and 24 need glibc 2.38 or later ` +
        '(Debian 13, Ubuntu 24.04); musl (Alpine) is not served. README.md names the swap to upstream’s package.',
      { cause },
    );
    this.name = 'UwsLoadError';
  }
}

/**
 * The most bytes of a request's head that comes in several segments. The library's own limit of 4 KiB is less than the
 * cookies of many sites; nginx and Node take 16 KiB or more.
 */
export const headMaxBytes = 16 * 1024;
const headLimitVariable = 'UWS_HTTP_MAX_HEADERS_SIZE';

/** Loads the native library. Not an import at the top: a machine without a fitting binary is to get a clear message. */
export function loadUws(): Uws {
  // The library reads it once, while it is loaded. Where the embedding program has loaded it before, its own limit
  // holds.
  process.env[headLimitVariable] ??= String(headMaxBytes);
  try {
    return createRequire(import.meta.url)('uWebSockets.js') as Uws;
  } catch (cause) {
    throw new UwsLoadError(cause);
  }
}
