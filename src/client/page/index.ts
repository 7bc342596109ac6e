/** For pages: one connection for all tabs, and hidden tabs pause. */

export { PageClient, type PageClientOptions, type Sharing, type TabRole } from './page-client.ts';
export type { PageSubscribeOptions } from './page-subscription.ts';
export { serveWorker, type WorkerScope } from './worker.ts';
