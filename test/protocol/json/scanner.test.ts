import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutMembers } from '../../../src/protocol/json/envelope.ts';
import { JsonScanner, maxDepth, memberName, scanJson } from '../../../src/protocol/json/scanner.ts';
import { isUtf8, utf8 } from '../../../src/protocol/utf8.ts';

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const scan = (json: string) => scanJson(utf8(json));

/** Whether an object anywhere in a valid text has a member twice: a second opinion, by another way. */
function hasDuplicates(json: string): boolean {
  let at = 0;
  const skip = () => {
    at += /^[\s:,]*/.exec(json.slice(at))![0].length;
  };
  function value(): boolean {
    skip();
    const c = json[at]!;
    if (c === '"') return string() === undefined;
    if (c !== '{' && c !== '[') {
      at += /^[^\s,\]}]+/.exec(json.slice(at))![0].length;
      return false;
    }
    at++;
    const names = new Set<string>();
    let twice = false;
    for (skip(); json[at] !== '}' && json[at] !== ']'; skip()) {
      if (c === '{') {
        const name = string();
        twice ||= names.has(name);
        names.add(name);
      }
      if (value()) twice = true;
    }
    at++;
    return twice;
  }
  function string(): string {
    const raw = /^"(?:[^"\\]|\\.)*"/s.exec(json.slice(at))![0];
    at += raw.length;
    return JSON.parse(raw) as string;
  }
  return value();
}

/** Lone surrogates can't be written in UTF-8. */
function wellFormed(json: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(utf8(json));
}

function parses(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

/** Names from a small set, so that duplicates are frequent; written with and without escapes. */
const objectText = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('1', '-0.5e+3', 'null', '"x"', 'true', '[]', '{}', '"\\ud800"'),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(' , ')}]`),
    fc
      .array(
        fc.tuple(
          fc.constantFrom('a', 'b', 'ab', 'ü', '\\u0061', '\\u00fc', '\\ud800', '__proto__', 'c', ''),
          tie('value'),
        ),
        { maxLength: 3 },
      )
      .map((members) => `{${members.map(([name, value]) => `"${name}" : ${value}`).join(',\n')}}`),
  ),
})).value;

describe('the JSON scanner', () => {
  it('accepts what JSON.parse accepts', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 2, '\t'), (json, indent) => {
        expect(scan(JSON.stringify(JSON.parse(json), null, indent)).ok).toBe(true);
        expect(scan(` ${json}\r\n`).ok).toBe(true);
      }),
    );
  });

  it('refuses exactly the texts with a member twice', () => {
    fc.assert(
      fc.property(objectText, (json) => {
        expect(parses(json)).toBe(true);
        expect(scan(json).ok).toBe(!hasDuplicates(json));
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees with JSON.parse on texts that were tampered with', () => {
    const pieces = fc.constantFrom(
      ...'{}[]",:\\\n\u0001 019.-+eEtfnu/',
      'null',
      '\\u00',
      '\\ud83d',
      '\uFEFF',
      'ü',
      '',
    );
    fc.assert(
      fc.property(fc.oneof(fc.json(), objectText), fc.nat(), pieces, fc.nat(3), (json, at, piece, drop) => {
        const place = at % (json.length + 1);
        const tampered = wellFormed(json.slice(0, place) + piece + json.slice(place + drop));
        expect(scan(tampered).ok).toBe(parses(tampered) && !hasDuplicates(tampered));
      }),
      { numRuns: 3000 },
    );
  });

  it('never throws on any bytes, and refuses what is no JSON', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const valid = isUtf8(bytes) && parses(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
        if (isUtf8(bytes)) expect(scanJson(bytes).ok).toBe(valid);
        else scanJson(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('finds the end of a string, and what may not be in one, wherever it is', () => {
    const specials = [
      '',
      '"',
      '\\"',
      '\\',
      '\u0000',
      '\u001f',
      ' ',
      '!',
      '#',
      '[',
      ']',
      '\u007f',
      'ü',
      '€',
      '\u{10ffff}',
    ];
    for (let before = 0; before < 9; before++) {
      for (let after = 0; after < 6; after++) {
        for (const special of specials) {
          const json = `${' '.repeat(before % 4)}"${'x'.repeat(before)}${special}${'"'.repeat(after % 2)}${'y'.repeat(after)}"`;
          expect([json, scan(json).ok]).toEqual([json, parses(json)]);
          const within = utf8(`["${json}"]`);
          expect(new JsonScanner(within).scan(2, within.length - 2)).toMatchObject({ ok: parses(json) });
        }
      }
    }
  });

  it('reads each text of a body as a scanner of its own does', () => {
    const texts = [
      '{"a":1,"b":"x","c":[2]}',
      '{"d":"\\u0041"}',
      '{}',
      '{"e":',
      '[{"f":1}]',
      '{"g":{"h":1},"i":2}',
    ];
    const scanner = new JsonScanner(utf8(texts.join(' ')));
    let from = 0;
    for (const text of texts) {
      const alone = new JsonScanner(utf8(' '.repeat(from) + text)).scan(from, from + text.length);
      expect(scanner.scan(from, from + text.length)).toEqual(alone);
      from += text.length + 1;
    }
  });

  it.each([
    ['{"a":1,"a":2}', 7],
    ['{"a":1,"\\u0061":2}', 7],
    ['{"b":[{"a":1,"a":2}]}', 13],
    ['{"a":01}', 6],
    ['{"a":"\u0007"}', 6],
    ['{"a":"\\x"}', 6],
    ['{"a":1,}', 7],
    ['[1 2]', 3],
    ['{"a"', 4],
    ['"a', 2],
    ['', 0],
    ['nul', 0],
    ['1.e3', 2],
  ])('says where %j is wrong: byte %d', (json, position) => {
    const result = scan(json);
    expect(result).toMatchObject({ ok: false, position });
    expect(!result.ok && result.message).toMatch(new RegExp(`at byte ${position}$`));
  });

  it(`takes ${maxDepth} levels and no more`, () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(scan(nested(maxDepth)).ok).toBe(true);
    expect(scan(nested(maxDepth + 1)).ok).toBe(false);
    expect(scan('{"a":'.repeat(100_000)).ok).toBe(false);
  });

  it.each([31, 32, 33, 34, 500])('finds the duplicate among %d members', (count) => {
    const members = Array.from({ length: count }, (_, i) => `"name${i}":${i}`);
    expect(scan(`{${members.join(',')}}`).ok).toBe(true);
    for (const i of [0, Math.floor(count / 2), count - 1]) {
      expect(scan(`{${members.join(',')},"nam\\u0065${i}":0}`).ok).toBe(false);
      expect(scan(`{${members.join(',')},"name${i}":0}`).ok).toBe(false);
    }
  });

  it('takes as many members of the outermost object as the caller wants, and no more', () => {
    const object = (count: number) =>
      utf8(`{${Array.from({ length: count }, (_, i) => `"name${i}":{"a":1,"b":2}`).join(',')}}`);
    const options = { maxMembers: 3, nestedMaxBytes: 1000, elements: false };
    expect(scanJson(object(2), options)).toMatchObject({ ok: true });
    expect(scanJson(object(3), options)).toMatchObject({ ok: true });
    expect(scanJson(object(4), options)).toMatchObject({ ok: false, reason: 'too_many' });
    // Of one that is within another, any number.
    expect(scanJson(utf8(`{"a":${text(object(4))}}`), options).ok).toBe(true);
    // One that is wrong before is wrong.
    expect(scanJson(utf8('{"a":1,"a":1,"b":1,"c":1}'), options)).toMatchObject({ reason: undefined });
  });

  it('takes an object or array of as many bytes in a member as the caller wants, and no more', () => {
    const options = { maxMembers: 9, nestedMaxBytes: 20, elements: false };
    const texts = [
      (bytes: number) => `{"x":"${'y'.repeat(bytes - 8)}"}`,
      (bytes: number) => `[true${',1'.repeat((bytes - 6) / 2)}]`,
      (bytes: number) => `[1${' '.repeat(bytes - 9)},false]`,
      (bytes: number) => `["${'y'.repeat(bytes - 10)}\\u00e9"]`,
    ];
    for (const text of texts) {
      const scanned = (bytes: number) => {
        expect(text(bytes)).toHaveLength(bytes);
        return scanJson(utf8(`{"a":1,"d\\u0061ta":${text(bytes)},"b":2}`), options);
      };
      expect(scanned(18).ok).toBe(true);
      expect(scanned(20).ok).toBe(true);
      for (const bytes of [22, 24, 26, 40, 1000])
        expect(scanned(bytes)).toMatchObject({ ok: false, reason: 'too_long', member: 'data' });
    }
    // A text may be longer, and the outermost object.
    expect(scanJson(utf8(`{"a":"${'y'.repeat(30)}","b":[1]}`), options).ok).toBe(true);
    // What is wrong before the limit is wrong.
    expect(scanJson(utf8(`{"a":[tru${',1'.repeat(30)}]}`), options)).toMatchObject({ reason: undefined });
  });

  it('notes the elements of an array only where they are wanted', () => {
    expect(scanJson(utf8('[1,2]'))).toMatchObject({ elements: [{}, {}] });
    expect(scanJson(utf8('[1,2]'), { maxMembers: 1, nestedMaxBytes: 1000, elements: false })).toMatchObject({
      kind: 'array',
      elements: [],
    });
  });

  it('tells names with equal digests apart', () => {
    // The digest is made of the length and of the first, the middle and the last byte.
    expect(scan('{"a1c1e":1,"a2c2e":2}').ok).toBe(true);
    expect(scan('{"a1c1e":1,"a2c2e":2,"a1c1e":3}').ok).toBe(false);
  });

  it('reports members and elements where they are', () => {
    const json = utf8(' {"a" : [1, {"x":2}] ,"\\u00fc":"ö"}');
    const object = scanJson(json);
    if (!object.ok) throw new Error(object.message);
    expect(
      object.members.map((member) => [
        memberName(json, member),
        text(json.subarray(member.start, member.end)),
      ]),
    ).toEqual([
      ['a', '[1, {"x":2}]'],
      ['ü', '"ö"'],
    ]);
    const list = utf8('[ {"a": 1.0} ,2,[3]]');
    const array = scanJson(list);
    const elements = array.ok ? array.elements.map(({ start, end }) => text(list.subarray(start, end))) : [];
    expect(elements).toEqual(['{"a": 1.0}', '2', '[3]']);
  });
});

describe('the envelope', () => {
  it('is parsed, and the payload is left unchanged', () => {
    const split = cutMembers(utf8('{"topic":"x","data": {"b":  1.50, "a":"\\u0000ü"} ,"n":1}'), ['data']);
    if (!split.ok) throw new Error(split.message);
    expect(split.envelope).toEqual({ topic: 'x', n: 1 });
    expect(text(split.values[0])).toBe('{"b":  1.50, "a":"\\u0000ü"}');
  });

  it.each([
    '{"data":1}',
    '{"data":1,"a":2}',
    '{"a":2,"data":1}',
    '{"a":2, "d\\u0061ta":1,"b":3}',
    '{"a":{"data":5}}',
    '{}',
  ])('of %s has all other members', (json) => {
    const { data, ...rest } = JSON.parse(json) as Record<string, unknown>;
    const split = cutMembers(utf8(json), ['data']);
    expect(split).toMatchObject({ ok: true, envelope: rest });
    expect(split.ok && split.values[0] && text(split.values[0])).toBe(data === undefined ? undefined : '1');
  });

  it('is the same as parsing, for any object and member', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'data'), fc.jsonValue()), (value) => {
        const cut = cutMembers(utf8(JSON.stringify(value, null, 1)), ['data', 'b']);
        if (!cut.ok) throw new Error(cut.message);
        const { data, b, ...rest } = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
        expect({ ...cut.envelope }).toEqual(rest);
        expect(cut.values.map((bytes) => bytes && JSON.parse(text(bytes)))).toEqual([data, b]);
      }),
    );
  });

  it('keeps a member named __proto__ from the prototype', () => {
    const split = cutMembers(utf8('{"__proto__":{"admin":true},"data":1}'), ['data']);
    if (!split.ok) throw new Error(split.message);
    expect(split.envelope['admin']).toBeUndefined();
    expect(Object.getPrototypeOf(split.envelope)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('that is not an object is refused', () => {
    expect(cutMembers(utf8('[1]'), ['data'])).toMatchObject({ ok: false, reason: 'other_kind' });
    expect(cutMembers(utf8('{"data":1'), ['data'])).toMatchObject({ ok: false });
  });
});

describe('the escape \\u', () => {
  const isJson = (json: string) => {
    try {
      JSON.parse(json);
      return true;
    } catch {
      return false;
    }
  };
  const neighbours = [...'/:;<=>?@GZ[`g{|\u007f\u0010\u0019 \\"'];
  const digits = [...'09afAF'];

  it.each([0, 1, 2, 3])('has a hexadecimal digit in place %i, and nothing that is near one', (place) => {
    for (const character of [...digits, ...neighbours]) {
      const escaped = `\\u${'0'.repeat(place)}${character}${'0'.repeat(3 - place)}`;
      for (const json of [`"${escaped}"`, `{"${escaped}":1}`, `["x",{"a":"${escaped}"}]`]) {
        expect([json, scan(json).ok]).toEqual([json, isJson(json)]);
      }
      expect([escaped, scan(`"${escaped}"`).ok]).toEqual([escaped, digits.includes(character)]);
    }
  });

  it.each(['"\\u', '"\\u"', '"\\u0"', '"\\u00"', '"\\u000"', '"\\u000', '"\\u0000'])(
    'is no text when it is cut: %s',
    (json) => {
      expect([scan(json).ok, isJson(json)]).toEqual([false, false]);
    },
  );
});
