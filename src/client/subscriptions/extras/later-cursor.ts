/** `EPOCH.SEQ`, where nothing else is said: of the gateway's cursors those that count for all topics alike. */
const form = /^([\w-]+)\.([\da-z]+)$/;

/** Whether it is known that a cursor says more than another one, of the same numbering of commits. */
export function isLaterCursor(cursor: string, other: string): boolean {
  const [, epoch, seq = ''] = form.exec(cursor) ?? [];
  const [, otherEpoch, otherSeq = ''] = form.exec(other) ?? [];
  return (
    epoch !== undefined && epoch === otherEpoch && Number.parseInt(seq, 36) > Number.parseInt(otherSeq, 36)
  );
}
