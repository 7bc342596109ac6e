import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, userTopicOf } from '../../src/auth/permissions.ts';
import { canonicalTopic } from '../../src/protocol/user-topics.ts';
import { patternMatches, topicProblem } from '../../src/topics/topic-name.ts';

describe('the topic of a user', () => {
  test('is percent-encoded only where its characters are none of names', () => {
    expect(userTopicOf('a b/ü*(x)')).toBe('user:a%20b/%C3%BC%2A%28x%29');
    expect(userTopicOf('a:b')).toBe('user:a:b');
    expect(userTopicOf('alice@example.org')).toBe('user:alice@example.org');
    expect(userTopicOf('50%')).toBe('user:50%25');
    expect(userTopicOf('a%40b')).toBe('user:a%2540b');
    expect(userTopicOf('$x')).toBe('user:%24x');
    expect(userTopicOf('..')).toBeUndefined();
    expect(userTopicOf('a/../b')).toBeUndefined();
    expect(userTopicOf('')).toBeUndefined();
    expect(userTopicOf('\ud800')).toBeUndefined();
    expect(userTopicOf('x'.repeat(195))).toBe(`user:${'x'.repeat(195)}`);
    expect(userTopicOf('x'.repeat(196))).toBeUndefined();
  });

  test('is one topic per user, and well-formed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (left, right) => {
        const topic = userTopicOf(left);
        if (topic === undefined) return;
        expect(topicProblem(topic)).toBeUndefined();
        expect(canonicalTopic(topic)).toBe(topic);
        expect(topic === userTopicOf(right)).toBe(left === right);
      }),
    );
  });
});

test('a grant covers a pattern only if it covers every topic that the pattern matches', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 3 });
  fc.assert(
    fc.property(part, part, part, (granted, wanted, rest) => {
      if (covers(`${granted}*`, `${wanted}*`))
        expect(patternMatches(`${granted}*`, wanted + rest)).toBe(true);
      expect(covers(granted, `${wanted}*`)).toBe(false);
      expect(covers(granted, wanted)).toBe(granted === wanted);
    }),
  );
});
