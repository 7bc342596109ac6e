import { describe, expect, test } from 'vitest';
import { authorizer } from '../../src/auth/authorize.ts';
import {
  anonymousIdentity,
  type Identity,
  localIdentity,
  type Scope,
  topicActions,
  unauthenticatedIdentity,
} from '../../src/auth/identity.ts';

const authorize = authorizer({
  default: { presence: true, anonymous: { subscribe: false, publish: false } },
  public: { presence: true, anonymous: { subscribe: true, publish: true } },
});
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
