/** What went wrong with a hook: a label of metrics. */
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

/** A hook gave no valid answer. The message is for the log: it quotes nothing that the application sent. */
export class HookFailure extends Error {
  readonly kind: FailureKind;
  /** The HTTP status, where there is one. */
  readonly status: number | undefined;

  constructor(kind: FailureKind, message: string, status?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HookFailure';
    this.kind = kind;
    this.status = status;
  }
}
