import { describe, expect, test } from 'vitest';
import { apiKeyList } from '../../src/config/api-keys.ts';
import { sha256 as sha256Of } from '../../src/digest.ts';

const sha256 = 'ab'.repeat(32);
const plain = 'a-key-of-sixteen';
const read = (input: unknown) => apiKeyList.schema.safeParse(input);

describe('API keys', () => {
  test.each([
    ['plain text', plain, [{ key: plain }]],
    ['a list with commas', `${plain},sha256:${sha256}`, [{ key: plain }, { sha256 }]],
    ['a hash with a name', `backend=sha256:${sha256.toUpperCase()}`, [{ name: 'backend', sha256 }]],
    ['none', [], []],
    [
      'an object',
      [{ name: 'a', sha256, scopes: ['publish'], topics: ['server:*'] }],
      [{ name: 'a', sha256, scopes: ['publish'], topics: ['server:*'] }],
    ],
  ])('may be %s', (_, input, keys) => {
    expect(read(input).data).toEqual(keys);
  });

  test.each([
    ['a short key', 'fifteen-letters', 'as `sluice key` prints it'],
    ['blank', ' , ', 'as `sluice key` prints it'],
    ['empty texts', ['', ''], 'as `sluice key` prints it'],
    ['a short hash', [{ sha256: 'ab' }], 'sha256 has 64 hex digits'],
    ['a bad name', [{ name: `${plain} `, sha256 }], 'name has'],
    ['neither a key nor a hash', [{ name: 'a' }], 'either key or sha256'],
    ['both', [{ key: plain, sha256 }], 'either key or sha256'],
    ['no scope', [{ sha256, scopes: [] }], 'scopes are'],
    ['a scope that there is not', [{ sha256, scopes: [plain] }], 'scopes are'],
    [
      'topics of a key that administrates',
      [{ sha256, scopes: ['read', 'admin'], topics: ['a'] }],
      'has scopes',
    ],
    ['topics without scopes', [{ sha256, topics: ['a'] }], 'has scopes'],
    ['a pattern with its star inside', [{ sha256, scopes: ['read'], topics: ['a*b'] }], 'topics are'],
    ['a member that there is not', [{ sha256, [plain]: ['read'] }], 'and nothing else'],
    [
      'two of one name',
      [
        { name: 'a', sha256 },
        { name: 'a', key: plain },
      ],
      'two have one name',
    ],
    [
      'one twice, with other scopes',
      [
        { sha256, scopes: ['read'] },
        { name: 'b', sha256: sha256.toUpperCase() },
      ],
      'one is there twice',
    ],
    [
      'one in plain text and as its hash',
      [plain, { sha256: sha256Of(plain).toString('hex') }],
      'one is there twice',
    ],
    ['a number', [17], 'an object has'],
    ['a space', 'a key of many letters', 'as `sluice key` prints it'],
  ])('are not %s, and the fault says what is wrong and holds nothing of them', (_, input, told) => {
    const message = read(input).error?.issues[0]?.message;
    expect(message).toMatch(new RegExp(`^must be keys .*${told}`));
    expect(message).not.toContain(plain);
  });
});
