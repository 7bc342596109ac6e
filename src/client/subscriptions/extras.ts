import { later } from '../later.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/**
 * The code for everything but the publications of one topic from now on. It imports only types from the rest of the
 * SDK, and is given objects: code that it shared with the entry would be bundled into another file.
 */
export const extras = later(() => import('./extras/index.ts'));

export type Code = NonNullable<(typeof extras)['loaded']>;

/** Whether a subscription needs that code from its beginning. */
export function needsExtras(topic: string, options: SubscribeOptions): boolean {
  const { filter, keys, presence, since, last, cursor } = options;
  return topic.endsWith('*') || Boolean(filter ?? keys ?? since ?? last ?? cursor ?? presence);
}
