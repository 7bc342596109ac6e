import { onTestFinished } from 'vitest';

type Closable = { close(): unknown } | { kill(): unknown };

/** Closes it once the test is over. What was opened last is closed first. */
export function ofTest<T extends Closable>(one: T): T {
  onTestFinished(async () => {
    await ('kill' in one ? one.kill() : one.close());
  });
  return one;
}

/** The same for what is about to open. */
export async function opened<T extends Closable>(opening: Promise<T>): Promise<T> {
  return ofTest(await opening);
}
