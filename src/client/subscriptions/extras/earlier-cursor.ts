/** `EPOCH.SEQ`, of all topics alike; with a `!` where values of state topics are lacking. */
const form = /^([\w-]+)\.([\da-z]+)!?$/;

/**
 * A cursor of the gateway that says no more than these two do: the first one, with none of its numbers greater than the
 * other's. A stream's has several, `~KEY.SEQ` for each subscription or topic that is at another commit. If their
 * numberings differ, or the other is not of the usual form, it is the first one.
 */
export function earlierCursor(cursor: string, other: string): string {
  const [, epoch, seq = ''] = form.exec(other) ?? [];
  const [positions = '', ...stream] = cursor.split('@');
  if (!epoch || !positions.startsWith(`${epoch}.`)) return cursor;
  const earlier = positions.replace(/\.([\da-z]+)/g, (text, own: string) =>
    Number.parseInt(own, 36) > Number.parseInt(seq, 36) ? `.${seq}` : text,
  );
  return [earlier, ...stream].join('@');
}
