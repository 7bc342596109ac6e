/**
 * State topics, patterns, filters, keys, beginnings of one's own, inboxes, presence, losses and refusals: loaded when
 * one is first met.
 */

export { canonicalFilter } from '../../../protocol/canonical-filter.ts';
export { copyOf, LiveMap } from '../live-map.ts';
export { Acknowledging } from './acknowledging.ts';
export { beginning } from './beginning.ts';
export { KeyedView } from './keyed-view.ts';
export { MemberExtras } from './member-extras.ts';
export { push } from './pushes.ts';
export { reconcile } from './reconcile.ts';
export { changeKeys, rekey } from './rekey.ts';
export { Retries } from './retries.ts';
