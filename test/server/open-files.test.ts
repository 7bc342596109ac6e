import { expect, test } from 'vitest';
import { ClientFiles, clientSocketsMax, tooFewFiles } from '../../src/server/open-files.ts';

const limits = (
  soft: string,
) => `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            ${soft.padEnd(20)} 1048576              files     
Max locked memory         65536                65536                bytes     
`;

test.each([
  ['20000', 19_744],
  ['1024', 768],
  ['1000', 750],
  ['16', 12],
  ['unlimited', Number.POSITIVE_INFINITY],
])('of %s files all but 256, and of few all but a quarter, are for clients', (soft, sockets) => {
  expect(clientSocketsMax(limits(soft))).toBe(sockets);
});

test('a process runs with 256 files, and says why it does not with fewer', () => {
  expect(tooFewFiles(limits('256'))).toBeUndefined();
  expect(tooFewFiles(limits('unlimited'))).toBeUndefined();
  expect(tooFewFiles(limits('255'))).toBe(
    'This process may open 255 files (ulimit -n), and needs at least 256.',
  );
});

test('if the system does not tell the limit, there is none', () => {
  expect(clientSocketsMax('')).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  [100, 0, 97, true],
  [100, 0, 98, false],
  [100, 10, 67, true],
  [100, 10, 68, false],
  [Number.POSITIVE_INFINITY, 10_000, 10_000, true],
])(
  'of %f files with %i relayed connections and %i to apps, there are some for another: %j',
  (max, ...counts) => {
    const [relayed, served, canRelay] = counts;
    const files = new ClientFiles(max);
    files.countRelayed(() => relayed);
    expect(files.leftBeside(served)).toBe(max - served - 2 * relayed);
    expect(files.canRelayBeside(served)).toBe(canRelay);
  },
);

test('connections that are relayed before the app has counted one of them all find a file there', () => {
  const files = new ClientFiles(192);
  let relayed = 0;
  files.countRelayed(() => relayed);
  while (files.canRelayBeside(0)) relayed++;
  expect([relayed, files.leftBeside(0)]).toEqual([64, 64]);
});
