/** How a hook can fail: values of a metric's label. */
export const failureKinds = [
  'timeout',
  'network',
  'status',
  'redirect',
  'too_large',
  'malformed',
  'threw',
  'overloaded',
] as const;
export type FailureKind = (typeof failureKinds)[number];

/** A hook gave no valid answer. The message is for the log, and quotes nothing that the application sent. */
export class HookFailure extends Error {
  readonly kind: FailureKind;
  /** The HTTP status, if there was a response. */
  readonly status: number | undefined;

  constructor(kind: FailureKind, message: string, status?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HookFailure';
    this.kind = kind;
    this.status = status;
  }
}
