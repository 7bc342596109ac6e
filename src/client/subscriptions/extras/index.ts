import { resetFeed } from './feed-frames.ts';
import { begin, extend, join, place, showAll } from './member-extras.ts';
import { push } from './pushes.ts';
import { reconcile } from './reconcile.ts';
import { recover } from './recover.ts';
import { changeKeys, rekey } from './rekey.ts';
import { planRetry } from './retries.ts';
import { WireExtras } from './wire-extras.ts';

/** State topics, patterns, filters, keys, starts, inboxes, presence, losses and refusals. Loaded when first needed. */
export const code = {
  WireExtras,
  begin,
  changeKeys,
  extend,
  join,
  place,
  planRetry,
  push,
  reconcile,
  recover,
  rekey,
  resetFeed,
  showAll,
};
