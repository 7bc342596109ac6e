import { expect, test } from 'vitest';
import { parseUrl, withoutUrlSecrets, withoutUsers } from '../src/url.ts';

test('a URL is one with any letters, however often others were parsed', () => {
  for (let i = 0; i < 50_000; i++) parseUrl(`https://a.example/${i}`);
  expect(parseUrl('https://bücher.example')?.host).toBe('xn--bcher-kva.example');
  expect(parseUrl('bücher')).toBeUndefined();
});

test.each([
  ['https://a.example/keys', 'https://a.example/keys'],
  ['https://u:secret@a.example/keys', 'https://…@a.example/keys'],
  ['redis://u:p@ss@word@a.example', 'redis://…@a.example'],
  ['https://u:se/cr?e#t@a.example/keys', 'https://…@a.example/keys'],
  ['http:/u:secret@a.example "//u:secret@b"', 'http:/…@a.example "//…@b"'],
  ['https://a.example/keys?key=secret&b=secret', 'https://a.example/keys?…'],
  ['"http://a.example/#secret?secret", "b"', '"http://a.example/#…", "b"'],
  ['x//a://b?secret', 'x//a://b?…'],
  ['what?', 'what?'],
])('of %j people see %j', (text, shown) => {
  expect(withoutUrlSecrets(text)).toBe(shown);
});

test.each([
  ['a.example', 'a.example'],
  ['u:p@ss@a.example, "v:w@b"', '…@a.example, "…@b"'],
])('of %j without a scheme people see %j', (text, shown) => {
  expect(withoutUsers(text)).toBe(shown);
});

test.each(['x', '/', ':/', '://', '://x'])(
  'a text of a million %j takes no longer than to read it',
  (part) => {
    const text = part.repeat(1e6);
    expect(withoutUsers(withoutUrlSecrets(text))).toBe(text);
  },
);
