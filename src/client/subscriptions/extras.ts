import { later } from '../later.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/** The code of subscriptions that are more than one topic from now on. Most pages need none of it. */
export const extras = later(() => import('./extras/index.ts'));

/** Whether a subscription is served by that code. */
export function needsExtras(topic: string, { keys, since, last, cursor }: SubscribeOptions): boolean {
  return topic.endsWith('*') || Boolean(keys ?? since ?? last ?? cursor);
}
