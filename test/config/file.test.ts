import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { newFolder } from '../support/temporary.ts';

const folder = newFolder();
const path = join(folder, 'sluice.yaml');

function load(content: string | Uint8Array) {
  writeFileSync(path, content);
  return loadConfig({ file: path });
}

/** All that people and the log are told. */
function faultsOf(content: string | Uint8Array): readonly string[] {
  try {
    load(content);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

/** 9 to the power of `levels`. */
const aliases = (levels: number) =>
  [
    'a0: &a0 [x]',
    ...Array.from({ length: levels }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`)}]`),
  ].join('\n');
const many = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

describe('a file', () => {
  test.each([
    ['a byte order mark', '\ufeffport: 1234'],
    ['lines of Windows', 'host: 127.0.0.1\r\nport: 1234\r\n'],
    ['a number in quotes', 'port: "1234"'],
    ['a comment of almost a megabyte', `#${'x'.repeat(1_000_000)}\nport: 1234`],
  ])('is read with %s', (_, content) => {
    expect(load(content).port).toBe(1234);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['that is too large', `#${'x'.repeat(2 ** 20)}`, 'is larger than 1024KiB'],
    ['of UTF-16', Buffer.from('\ufeffport: 1', 'utf16le'), 'is not UTF-8'],
    [
      'with a secret of other bytes',
      Buffer.concat([Buffer.from(`tokenSecret: "${'a'.repeat(40)}`), Buffer.from([0xe9, 0x22])]),
      'is not UTF-8',
    ],
    ['with a second document', 'port: 1\n---\nport: 2', 'line 2, column 1 (multiple docs)'],
    ['with a key twice', 'port: 1\nhost: 127.0.0.1\nport: 2', 'line 3, column 1 (duplicate key)'],
    ['with a key twice, of JSON', '{"port":1,"port":2}', 'line 1, column 11 (duplicate key)'],
    [
      'with a key twice, within',
      'namespaces:\n  a: {mode: state, mode: stream}',
      'column 20 (duplicate key)',
    ],
    ['with aliases of aliases', aliases(9), 'aliases stand for too much'],
    ['with an alias of nothing', 'port: *a', 'an alias refers to nothing'],
    ...['[', '- ', '? ', '{a: '].map((level): [string, string, string] => [
      `that is deep by ${level}`,
      level.repeat(20_000),
      'nested more than 100 levels deep',
    ]),
    ['with a tag', 'host: !!js/function "x"', 'tag resolve failed'],
    ['with a prototype', '__proto__: {port: 1}', '__proto__ in'],
    [
      'with a prototype of namespaces',
      '{"namespaces":{"__proto__":{"mode":"state"}}}',
      'namespaces.__proto__',
    ],
    ['with a merged namespace', 'namespaces:\n  x: {<<: {mode: state}}', 'namespaces.x'],
    ['with a long host', `host: ${'x'.repeat(900_000)}`, 'must be an IP address'],
  ])('is refused %s', (_, content, fault) => {
    const faults = faultsOf(content);
    expect(faults[0]).toContain(fault);
    expect(Math.max(...faults.map(({ length }) => length))).toBeLessThan(600);
    expect(
      ({} as Record<string, unknown>)['mode'] ?? ({} as Record<string, unknown>)['port'],
    ).toBeUndefined();
  });

  test.each([
    ['options', many(50_000, (i) => `k${i}: 1`)],
    ['quotes', '"'.repeat(500_000)],
    ['namespaces', `namespaces:\n${many(30_000, (i) => `  n${i}: {m: 1}`)}`],
    ['names that are long', `${many(900, (i) => `${i}${'k'.repeat(900)}: 1`)}`],
  ])('with thousands of wrong %s is told by its first faults, and by how many there are', (_, content) => {
    const faults = faultsOf(content);
    expect(faults).toHaveLength(51);
    expect(faults.at(-1)).toMatch(/^and \d+ more$/);
  });
});
