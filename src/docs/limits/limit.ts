import type { OptionName } from '../../config.ts';
import type { CloseCode, ErrorCode } from '../../errors.ts';

/** A limit: what it bounds and for whom, what becomes of what exceeds it, what counts that, and tests of it. */
export interface Limit {
  readonly what: string;
  /** The option that sets it, or its value where none does. */
  readonly at: OptionName | { readonly value: string };
  /** Who is charged. */
  readonly of: string;
  readonly over: string;
  /** What a client is told; absent: nothing. */
  readonly codes?: readonly (ErrorCode | CloseCode)[];
  /** `name` or `name{label="value"}`, without the prefix. */
  readonly countedBy: readonly string[];
  /** Below, at and above it: the file below `test/`, and text of a title there. */
  readonly tests: readonly (readonly [file: string, title: string])[];
}
