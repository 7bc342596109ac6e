import type { Progress } from '../topics/cursor.ts';

/** How far a subscriber is in a view that it lacks something of. */
export interface Lag extends Progress {
  /** Topics of a pattern in which it is elsewhere, by name; those that lack nothing too. */
  readonly topics?: ReadonlyMap<string, Progress>;
  /** It is further in some topics than this says: they were more than a cursor can name. */
  readonly isRounded?: true;
}
