/** For pages: one connection for all tabs, and hidden tabs pause. */

export { PageClient } from './page-client.ts';
export type { PageClientOptions, Sharing, TabRole } from './page-options.ts';
export type { PageSubscribeOptions } from './page-subscription.ts';
export { serveWorker, type WorkerScope } from './worker.ts';
