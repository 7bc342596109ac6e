import { expect, test } from 'vitest';
import { parseUrl } from '../src/url.ts';

test('a URL is one with any letters, however often others were parsed', () => {
  for (let i = 0; i < 50_000; i++) parseUrl(`https://a.example/${i}`);
  expect(parseUrl('https://bücher.example')?.host).toBe('xn--bcher-kva.example');
  expect(parseUrl('bücher')).toBeUndefined();
});
