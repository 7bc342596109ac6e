/** How far a client is in everything that an engine commits: one position for any number of topics. */
export interface Cursor {
  /** The identity of the engine's numbering of commits. */
  readonly epoch: string;
  /** The client has had, or was told that it lacks, everything up to this commit. */
  readonly seq: number;
  /** It had not been sent the values of state topics yet, and needs all of them. */
  readonly lacksValues: boolean;
}

const cursorMaxLength = 1024;
const form = /^([A-Za-z0-9_-]+)\.([0-9a-z]+)(!?)$/;

/** `EPOCH.SEQ`, the number in base 36; with a `!` where values are lacking. Opaque to clients. */
export function formatCursor({ epoch, seq, lacksValues }: Cursor): string {
  return `${epoch}.${seq.toString(36)}${lacksValues ? '!' : ''}`;
}

/** Of a client that has had everything up to now. */
export function cursorNow({ commits: { epoch }, seq }: Commits, lacksValues = false): string {
  return formatCursor({ epoch, seq, lacksValues });
}

interface Commits {
  readonly commits: { readonly epoch: string };
  readonly seq: number;
}

/** Undefined: no cursor of this gateway's making. */
export function parseCursor(text: string): Cursor | undefined {
  if (text.length > cursorMaxLength) return undefined;
  const [, epoch, digits, mark] = form.exec(text) ?? [];
  if (epoch === undefined || digits === undefined) return undefined;
  const seq = Number.parseInt(digits, 36);
  if (!Number.isSafeInteger(seq) || seq.toString(36) !== digits) return undefined;
  return { epoch, seq, lacksValues: mark === '!' };
}
