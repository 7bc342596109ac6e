/** State topics, patterns, filters, keys, starts, inboxes, presence, losses and refusals. Loaded when first needed. */

export { copyOf } from '../live-map.ts';
export { beginFeed, placeOf, resetFeed } from './feed-frames.ts';
export { MemberExtras, showAll, startOf } from './member-extras.ts';
export { push } from './pushes.ts';
export { reconcile } from './reconcile.ts';
export { recover } from './recover.ts';
export { changeKeys, rekey } from './rekey.ts';
export { Retries } from './retries.ts';
export { WireExtras } from './wire-extras.ts';
