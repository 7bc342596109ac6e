import { describe, expect, test } from 'vitest';
import { namespaceOf } from '../../src/protocol/namespace.ts';
import {
  isPattern,
  isReserved,
  patternMatches,
  patternProblem,
  topicProblem,
} from '../../src/topics/topic-name.ts';

describe('names of topics', () => {
  test.each([
    'a',
    'stats',
    'server:web-01',
    'a.b_c-d:e/f@g%20',
    '...',
    'a/.b',
    'a/b..',
    'a..b',
    'job:..a',
    '$all',
    'x'.repeat(200),
  ])('%j is well-formed', (name) => {
    expect(topicProblem(name)).toBeUndefined();
  });

  test.each([
    ['', 'empty'],
    ['x'.repeat(201), '200'],
    ['a b', 'made of'],
    ['ä', 'made of'],
    ['a\n', 'made of'],
    ['a*', 'made of'],
    ['$', 'made of'],
    ['a$b', 'made of'],
    ['$$all', 'made of'],
    ['.', 'segment'],
    ['..', 'segment'],
    ['a/./b', 'segment'],
    ['../a', 'segment'],
    ['a/..', 'segment'],
    ['job:../etc', 'segment'],
    ['a:.:b', 'segment'],
  ])('%j is refused, and why is said', (name, why) => {
    expect(topicProblem(name)).toContain(why);
  });

  test('the namespace is what precedes the first colon, or all', () => {
    expect(['server:web:1', 'stats', ':x', 'a:'].map(namespaceOf)).toEqual(['server', 'stats', '', 'a']);
  });

  test('names that begin with $ are reserved', () => {
    expect(['$all', 'a$', 'all'].map(isReserved)).toEqual([true, false, false]);
  });
});

describe('patterns', () => {
  test.each(['*', 'server:*', 'a/*', `${'x'.repeat(200)}*`])('%j is well-formed', (pattern) => {
    expect(isPattern(pattern)).toBe(true);
    expect(patternProblem(pattern)).toBeUndefined();
  });

  test.each([
    ['server', 'ends with'],
    ['a*b*', 'one "*"'],
    ['**', 'one "*"'],
    [`${'x'.repeat(201)}*`, '200'],
    ['a b*', 'made of'],
    ['$*', 'made of'],
    ['user:a%40*', 'written user:a@*'],
  ])('%j is refused, and why is said', (pattern, why) => {
    expect(patternProblem(pattern)).toContain(why);
  });

  test.each([
    ['*', 'anything', true],
    ['*', '$all', false],
    ['$a*', '$all', true],
    ['server:*', 'server:web-01', true],
    ['server:*', 'server:', true],
    ['server:*', 'server', false],
    ['server:*', 'servers:1', false],
  ])('%j matches %j: %s', (pattern, topic, matches) => {
    expect(patternMatches(pattern, topic)).toBe(matches);
  });
});
