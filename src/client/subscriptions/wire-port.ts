import type { TopicPosition } from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { PendingCommands } from '../pending-commands.ts';
import type { Runtime } from '../runtime.ts';
import type { Timer } from '../timer.ts';
import type { Acknowledging } from './extras/acknowledging.ts';

/** What a subscription on the wire needs from its surroundings. */
export interface WirePort {
  readonly runtime: Runtime;
  readonly commands: PendingCommands;
  newTimer(): Timer;
  acknowledging: Acknowledging | undefined;
  /** The publications of a batch, inflated; undefined: its compressed body is damaged. */
  expand(batch: ServerKinds['batch']): ServerKinds['batch']['publications'] | undefined;
  /** Whether this client published it with `exceptSelf`. */
  isOwn(position: TopicPosition): boolean;
}
