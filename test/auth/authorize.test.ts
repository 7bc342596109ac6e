import { describe, expect, test } from 'vitest';
import { authorizer } from '../../src/auth/authorize.ts';
import {
  anonymousIdentity,
  type Identity,
  localIdentity,
  type Scope,
  type TopicAction,
  topicActions,
  unauthenticatedIdentity,
} from '../../src/auth/identity.ts';

const closed = { presence: true, anonymous: { subscribe: false, publish: false } };
const authorize = authorizer({
  default: closed,
  public: { presence: true, anonymous: { subscribe: true, publish: true } },
});
const authorizeInOpen = authorizer({
  default: { presence: true, anonymous: { subscribe: true, publish: false } },
  secret: closed,
  chat: { presence: true, anonymous: { subscribe: true, publish: true } },
  silent: { presence: false, anonymous: { subscribe: true, publish: false } },
});
const may = (...args: Parameters<typeof authorize>) => authorizeInOpen(...args) === undefined;
function identity(user: string, ...grants: [string, ...TopicAction[]][]): Identity {
  const permissions = grants.map(([pattern, ...allow]) => ({ pattern, allow }));
  return { user, permissions, scopes: [] };
}
const key = (...scopes: Scope[]): Identity => ({ permissions: [], apiKey: 'k', scopes });
const alice: Identity = {
  user: 'alice',
  permissions: [{ pattern: 'room:*', allow: ['subscribe'] }],
  scopes: [],
};
const code = (...args: Parameters<typeof authorize>) => authorize(...args)?.code;

describe('authorize', () => {
  test('refuses a session that has not authenticated, whatever it wants', () => {
    for (const action of topicActions) {
      for (const topic of ['public:x', 'room:1', '$all', '*', 'user:alice']) {
        expect([topic, code(unauthenticatedIdentity, action, topic)]).toEqual([topic, 'unauthorized']);
      }
    }
  });

  test('refuses every publish to Sluice’s own topics', () => {
    for (const identity of [anonymousIdentity, alice, localIdentity, key('publish', 'read', 'admin')]) {
      for (const topic of ['$all', '$probe', '$*'])
        expect(code(identity, 'publish', topic)).toBe('forbidden');
    }
  });

  test('lets all read `$all`, and keys that may read the others of Sluice’s own', () => {
    for (const identity of [anonymousIdentity, alice, key('publish'), key('read')])
      expect(code(identity, 'subscribe', '$all')).toBeUndefined();
    expect(code(key('read'), 'subscribe', '$canary')).toBeUndefined();
    for (const identity of [anonymousIdentity, alice, key('publish', 'admin')])
      expect(code(identity, 'subscribe', '$canary')).toBe('forbidden');
  });

  test('lets keys that may read subscribe to all topics of the application, and only those that administrate read what is revoked', () => {
    for (const pattern of ['*', 'room:*', '$canary*']) {
      expect(code(key('read'), 'subscribe', pattern)).toBeUndefined();
      expect(code(key('admin'), 'subscribe', pattern)).toBe('forbidden');
    }
    for (const pattern of ['$revoked', '$revoked*', '$r*', '$*']) {
      expect(code(key('read'), 'subscribe', pattern)).toBe('forbidden');
      expect(code(key('read', 'admin'), 'subscribe', pattern)).toBeUndefined();
    }
  });

  test('holds keys to their scopes', () => {
    const held = (identity: Identity) => topicActions.map((action) => code(identity, action, 'room:1'));
    expect(held(key('read'))).toEqual([undefined, 'forbidden', undefined]);
    expect(held(key('publish'))).toEqual(['forbidden', undefined, 'forbidden']);
    expect(held(key('admin'))).toEqual(['forbidden', 'forbidden', 'forbidden']);
  });

  test('holds tokens to their topics, and to what namespaces open', () => {
    expect(code(alice, 'subscribe', 'room:1')).toBeUndefined();
    expect(code(alice, 'subscribe', 'user:alice')).toBeUndefined();
    expect(code(alice, 'publish', 'public:x')).toBeUndefined();
    expect(code(alice, 'subscribe', 'roo*')).toBe('forbidden');
    expect(authorize(alice, 'presence', 'room:1')).toMatchObject({
      code: 'forbidden',
      message: 'not allowed to see who is in room:1',
    });
  });
});

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
    expect(may(anonymousIdentity, action, topic)).toBe(allowed);
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
    expect(may(alice, action, topic)).toBe(allowed);
  });
});

describe('the topic of a user', () => {
  const everything: [string, ...TopicAction[]] = ['*', 'subscribe', 'publish', 'presence'];

  test('is heard by that user without any grant', () => {
    expect(may(identity('alice'), 'subscribe', 'user:alice')).toBe(true);
    expect(may(identity('alice'), 'presence', 'user:alice')).toBe(true);
  });

  test.each(['user:bob', 'user:*', 'user:a*', 'user:alice*', 'use*', '*'])(
    'no grant lets a user hear %s',
    (topic) => {
      expect(may(identity('alice', everything), 'subscribe', topic)).toBe(false);
    },
  );

  test('is published to by who has the permission only', () => {
    expect(may(identity('alice'), 'publish', 'user:alice')).toBe(false);
    expect(may(identity('backend', ['user:*', 'publish']), 'publish', 'user:alice')).toBe(true);
  });
});
