/** Patterns, keys, beginnings of one's own, and what an unexpected refusal takes: loaded when one is first needed. */

export { Acknowledging } from './acknowledging.ts';
export { beginning } from './beginning.ts';
export { KeyedView } from './keyed-view.ts';
export { MemberExtras } from './member-extras.ts';
export { push } from './pushes.ts';
export { reconcile } from './reconcile.ts';
export { changeKeys, rekey } from './rekey.ts';
export { Retries } from './retries.ts';
