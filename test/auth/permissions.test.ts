import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anonymousIdentity, type Identity, type TopicAction } from '../../src/auth/identity.ts';
import { covers, may, type NamespaceAccessTable, userTopicOf } from '../../src/auth/permissions.ts';
import { canonicalTopic } from '../../src/protocol/user-topics.ts';
import { patternMatches, topicProblem } from '../../src/topics/topic-name.ts';

const open = { presence: true, anonymous: { subscribe: true, publish: false } };
const namespaces: NamespaceAccessTable = {
  default: open,
  secret: { presence: true, anonymous: { subscribe: false, publish: false } },
  chat: { presence: true, anonymous: { subscribe: true, publish: true } },
  silent: { presence: false, anonymous: { subscribe: true, publish: false } },
};

function identity(user: string | undefined, ...grants: [string, ...TopicAction[]][]): Identity {
  const permissions = grants.map(([pattern, ...allow]) => ({ pattern, allow }));
  return { user, permissions, scopes: [] };
}

describe('anonymous clients', () => {
  test.each<[TopicAction, string, boolean]>([
    ['subscribe', 'stats', true],
    ['publish', 'stats', false],
    ['presence', 'stats', false],
    ['publish', 'chat:lobby', true],
    ['subscribe', 'secret', false],
    ['subscribe', 'secret:plans', false],
    ['subscribe', 'server:*', true],
    ['subscribe', 'secret:*', false],
    ['subscribe', 'sec*', false],
    ['subscribe', 'ser*', true],
    ['publish', 'chat*', false],
    ['publish', 'chat:*', true],
    ['subscribe', 'user:alice', false],
    ['subscribe', 'constructor:x', true],
  ])('%s %s: %j', (action, topic, allowed) => {
    expect(may(anonymousIdentity, action, topic, namespaces)).toBe(allowed);
  });
});

describe('permissions of a token', () => {
  const alice = identity(
    'alice',
    ['secret:*', 'subscribe'],
    ['stats', 'publish', 'presence'],
    ['silent', 'presence'],
  );

  test.each<[TopicAction, string, boolean]>([
    ['subscribe', 'secret:plans', true],
    ['subscribe', 'secret:*', true],
    ['subscribe', 'secret:pl*', true],
    ['subscribe', 'secret*', false],
    ['subscribe', 'secret', false],
    ['publish', 'secret:plans', false],
    ['publish', 'stats', true],
    ['publish', 'stats:x', false],
    ['presence', 'stats', true],
    ['presence', 'secret:plans', false],
    // The namespace says no, whatever the token says.
    ['presence', 'silent', false],
    // What anonymous clients may, she may too.
    ['publish', 'chat:lobby', true],
  ])('%s %s: %j', (action, topic, allowed) => {
    expect(may(alice, action, topic, namespaces)).toBe(allowed);
  });
});

describe('the topic of a user', () => {
  const everything: [string, ...TopicAction[]] = ['*', 'subscribe', 'publish', 'presence'];

  test('is heard by that user without any grant', () => {
    expect(may(identity('alice'), 'subscribe', 'user:alice', namespaces)).toBe(true);
    expect(may(identity('alice'), 'presence', 'user:alice', namespaces)).toBe(true);
  });

  test.each(['user:bob', 'user:*', 'user:a*', 'user:alice*', 'use*', '*'])(
    'no grant lets a user hear %s',
    (topic) => {
      expect(may(identity('alice', everything), 'subscribe', topic, namespaces)).toBe(false);
    },
  );

  test('is published to by who has the permission only', () => {
    expect(may(identity('alice'), 'publish', 'user:alice', namespaces)).toBe(false);
    expect(may(identity('backend', ['user:*', 'publish']), 'publish', 'user:alice', namespaces)).toBe(true);
  });

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

test.each(['$all', '$presence', '$*'])('no identity may touch %s', (topic) => {
  const all = identity('root', ['*', 'subscribe', 'publish', 'presence'], ['$*', 'subscribe', 'publish']);
  for (const action of ['subscribe', 'publish', 'presence'] as const) {
    expect(may(all, action, topic, namespaces)).toBe(false);
  }
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
