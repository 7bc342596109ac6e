import { describe, expect, test } from 'vitest';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { publishProblem, topicNameProblem } from '../../src/topics/publish-problem.ts';
import { fields } from './fixtures.ts';

const maxBytes = 100;

function codeOf(more: Partial<PublishFields>): string | undefined {
  const publish = fields('t', more);
  return (topicNameProblem(publish.topic) ?? publishProblem(publish, maxBytes))?.code;
}

function manyTags(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, 'v']));
}

describe('checks of a publish', () => {
  test.each<[string, Partial<PublishFields>]>([
    ['the payload is as large as it may be', { payload: { format: 'binary', bytes: new Uint8Array(100) } }],
    ['the payload is empty', { payload: { format: 'binary', bytes: new Uint8Array(0) } }],
    ['the key has 200 characters', { key: 'k'.repeat(200) }],
    ['the key is empty', { key: '' }],
    ['the message id has 200 characters', { messageId: 'm'.repeat(200) }],
    ['there are 32 tags', { tags: manyTags(32) }],
    ['a tag has a name and value of 200 characters', { tags: { ['n'.repeat(200)]: 'v'.repeat(200) } }],
    ['a tag has an empty value', { tags: { a: '' } }],
    ['a tag is named __proto__', { tags: JSON.parse('{"__proto__":"x"}') as Record<string, string> }],
    ['the TTL is one millisecond', { ttlMs: 1 }],
    ['the timestamp is 0', { timestampMs: 0 }],
    ['the timestamp is the last of the year 9999', { timestampMs: 253_402_300_799_999 }],
    ['the excepted session has 200 characters', { except: 's'.repeat(200) }],
    ['the topic is one of Sluice’s own', { topic: '$all' }],
  ])('nothing is wrong where %s', (_, more) => {
    expect(codeOf(more)).toBeUndefined();
  });

  test.each<[string, Partial<PublishFields>, string]>([
    ['the topic is malformed', { topic: 'a b' }, 'invalid_topic'],
    ['the topic is a pattern', { topic: 'a*' }, 'invalid_topic'],
    ['the type is empty', { type: '' }, 'invalid_type'],
    ['the type is the name of a control frame', { type: 'caught_up' }, 'invalid_type'],
    [
      'the payload is too large',
      { payload: { format: 'binary', bytes: new Uint8Array(101) } },
      'payload_too_large',
    ],
    ['the key has 201 characters', { key: 'k'.repeat(201) }, 'invalid_request'],
    ['the key has half a character', { key: '\ud800' }, 'invalid_request'],
    ['the name of a tag has half a character', { tags: { '\ud800': 'x' } }, 'invalid_request'],
    ['the message id is empty', { messageId: '' }, 'invalid_request'],
    ['the message id has 201 characters', { messageId: 'm'.repeat(201) }, 'invalid_request'],
    ['there are 33 tags', { tags: manyTags(33) }, 'invalid_request'],
    ['a tag has no name', { tags: { '': 'v' } }, 'invalid_request'],
    ['a tag has a name of 201 characters', { tags: { ['n'.repeat(201)]: 'v' } }, 'invalid_request'],
    ['a tag has a value of 201 characters', { tags: { a: 'v'.repeat(201) } }, 'invalid_request'],
    ['a tag has half a character', { tags: { a: '\udc00' } }, 'invalid_request'],
    ['the TTL is 0', { ttlMs: 0 }, 'invalid_request'],
    ['the TTL is no integer', { ttlMs: 1.5 }, 'invalid_request'],
    ['the TTL is infinite', { ttlMs: Number.POSITIVE_INFINITY }, 'invalid_request'],
    ['the timestamp is negative', { timestampMs: -1 }, 'invalid_request'],
    ['the timestamp is of the year 10 000', { timestampMs: 253_402_300_800_000 }, 'invalid_request'],
    ['the timestamp is not a number', { timestampMs: Number.NaN }, 'invalid_request'],
    ['the excepted session is empty', { except: '' }, 'invalid_request'],
    ['the excepted session has 201 characters', { except: 's'.repeat(201) }, 'invalid_request'],
    ['an offset is expected', { expectedOffset: 1 }, 'not_supported'],
  ])('refuses it where %s', (_, more, code) => {
    expect(codeOf(more)).toBe(code);
  });
});
