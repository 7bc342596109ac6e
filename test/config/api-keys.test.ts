import { describe, expect, test } from 'vitest';
import { apiKeyList } from '../../src/config/api-keys.ts';

const sha256 = 'ab'.repeat(32);
const plain = 'a-key-of-sixteen';
const read = (input: unknown) => apiKeyList.schema.safeParse(input);

describe('API keys', () => {
  test.each([
    ['plain text', plain, [{ key: plain }]],
    ['a list with commas', `${plain},sha256:${sha256}`, [{ key: plain }, { sha256 }]],
    ['a hash with a name', `backend=sha256:${sha256.toUpperCase()}`, [{ name: 'backend', sha256 }]],
    ['nothing', '', []],
    [
      'an object',
      [{ name: 'a', sha256, scopes: ['publish'], topics: ['server:*'] }],
      [{ name: 'a', sha256, scopes: ['publish'], topics: ['server:*'] }],
    ],
  ])('may be %s', (_, input, keys) => {
    expect(read(input).data).toEqual(keys);
  });

  test.each([
    ['a short key', 'fifteen-letters'],
    ['a short hash', [{ sha256: 'ab' }]],
    ['neither a key nor a hash', [{ name: 'a' }]],
    ['both', [{ key: plain, sha256 }]],
    ['no scope', [{ sha256, scopes: [] }]],
    ['a scope that there is not', [{ sha256, scopes: ['write'] }]],
    ['topics of a key that administrates', [{ sha256, scopes: ['read', 'admin'], topics: ['a'] }]],
    ['topics without scopes', [{ sha256, topics: ['a'] }]],
    ['a pattern with its star inside', [{ sha256, scopes: ['read'], topics: ['a*b'] }]],
    ['a member that there is not', [{ sha256, scope: ['read'] }]],
    [
      'two of one name',
      [
        { name: 'a', sha256 },
        { name: 'a', key: plain },
      ],
    ],
    ['a number', [17]],
    ['a space', 'a key of many letters'],
  ])('are not %s, and the fault holds nothing of them', (_, input) => {
    const { error } = read(input);
    expect(error?.issues[0]?.message).toContain('must be keys');
    expect(error?.issues[0]?.message).not.toContain(plain);
  });
});
