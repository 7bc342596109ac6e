import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderDocs, sectionNames } from '../src/docs.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

describe('the generated sections', () => {
  test('are fresh in the README: `npm run docs` writes them', () => {
    expect(renderDocs(readme)).toBe(readme);
  });

  test.each(sectionNames)('have %s in the README', (name) => {
    expect(readme).toContain(`<!-- generated:${name} -->`);
  });

  test('leave all other text alone, and may stand anywhere', () => {
    const text = 'before\n<!-- generated:commands -->\nold\n<!-- /generated -->\nafter <!-- generated -->\n';
    const rendered = renderDocs(text);
    expect(rendered).toMatch(/^before\n<!-- generated:commands -->\n\n\| command /);
    expect(rendered).toMatch(/<!-- \/generated -->\nafter <!-- generated -->\n$/);
    expect(rendered).not.toContain('old');
    expect(renderDocs(rendered)).toBe(rendered);
  });

  test('refuse a name that nobody makes', () => {
    expect(() => renderDocs('<!-- generated:nothing -->\n<!-- /generated -->')).toThrow('nothing');
  });
});
