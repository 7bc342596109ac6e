import type { OtherNodes } from '../other-nodes.ts';
import type { Caps } from '../sessions/admission/connection-caps.ts';
import type { NodeCalls } from './node-calls.ts';

/** What a node of several shares with the others. */
export interface Site {
  readonly otherNodes?: OtherNodes<NodeCalls> | undefined;
  readonly caps?: Caps | undefined;
  /** The metrics of all processes of this machine together. */
  metricsText?(): Promise<{ readonly contentType: string; readonly body: string }>;
}
