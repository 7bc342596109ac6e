import type { CapLimits } from '../sessions/admission/connection-caps.ts';
import { SharedCaps } from '../sessions/admission/shared-caps.ts';
import type { NodeCounts } from '../topics/engine.ts';
import type { BusLine } from './bus-line.ts';
import type { NodeCalls } from './node-calls.ts';

/** The caps that hold for all machines of an engine; undefined: this machine is alone. */
export function createSharedCaps(
  limits: CapLimits,
  counts: NodeCounts | undefined,
  line: BusLine | undefined,
): SharedCaps | undefined {
  if (counts === undefined) return undefined;
  return new SharedCaps({
    limits,
    counts,
    replace: async (...said: Parameters<NodeCalls['replaced']>[0]) => {
      const replies = (await line?.ask('replaced' satisfies keyof NodeCalls, said)) ?? [];
      return replies.includes(true);
    },
  });
}
