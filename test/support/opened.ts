import { afterAll, beforeAll, onTestFinished } from 'vitest';

type Closable =
  | { close(): unknown }
  | { kill(): unknown }
  | { remove(): unknown }
  | { disconnect(): unknown };

/** Closes it once the test is over. What was opened last is closed first. */
export function ofTest<T extends Closable>(one: T): T {
  onTestFinished(async () => {
    if ('remove' in one) await one.remove();
    else if ('kill' in one) await one.kill();
    else await ('close' in one ? one.close() : one.disconnect());
  });
  return one;
}

/** The same for what is about to open. */
export async function opened<T extends Closable>(opening: Promise<T>): Promise<T> {
  return ofTest(await opening);
}

/** Opens it for all tests of a file: a plain object, which has members once they run. */
export function ofFile<T extends { close(): unknown }>(open: () => Promise<T>): T {
  const one = {} as T;
  beforeAll(async () => {
    Object.assign(one, await open());
  });
  afterAll(() => one.close());
  return one;
}
