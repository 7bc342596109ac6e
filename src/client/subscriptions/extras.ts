import { later } from '../later.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** The code of all that is more than the publications of one topic from now on. */
export const extras = later(() => import('./extras/index.ts'));

export type Code = NonNullable<(typeof extras)['loaded']>;

/** Whether a subscription is served by that code from its beginning. */
export function needsExtras(topic: string, options: SubscribeOptions): boolean {
  const { filter, keys, presence, since, last, cursor } = options;
  return topic.endsWith('*') || Boolean(filter ?? keys ?? since ?? last ?? cursor ?? presence);
}
