import { Composer, isScalar, LineCounter, type Pair, Parser, visit } from 'yaml';
import { FileError, readRegularFile } from '../regular-file.ts';

export type Entries = Readonly<Record<string, unknown>>;

export const quotes = 'a text that begins with one of * & ! # % @ ` | > needs quotes';

/**
 * The entries of a JSON or YAML file. Adds to `faults` what is wrong with it, without anything of its content, which
 * may be secret. A running gateway reads the file, too: more than 1 MiB would hold it up for seconds.
 */
export function readEntries(path: string, faults: string[]): Entries {
  try {
    const content = parseYaml(textOf(readRegularFile(path)), path, faults);
    if (content === null || content === undefined) return {};
    if (typeof content === 'object' && !Array.isArray(content)) return content as Entries;
    faults.push(`${path}: must hold an object`);
  } catch (error) {
    faults.push(`${path}: ${causeOf(error)}`);
  }
  return {};
}

class UnreadableFile extends Error {}

function causeOf(error: unknown): string {
  if (error instanceof FileError) return error.reason;
  if (error instanceof UnreadableFile) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  return `cannot be read${code === undefined ? '' : `: ${code}`}`;
}

/** Without a byte order mark. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UnreadableFile('is not UTF-8');
  }
}

/** The library's recursion could reach the end of the stack, where V8 may end the process. */
const nestedMax = 100;

class ShallowParser extends Parser {
  override *next(source: string) {
    yield* super.next(source);
    if (this.stack.length > nestedMax)
      throw new UnreadableFile(`is nested more than ${nestedMax} levels deep`);
  }
}

/**
 * The parser's messages are not shown, because they quote the file with its secrets. Its warnings count as faults,
 * because the parser has ignored something.
 */
function parseYaml(text: string, path: string, faults: string[]): unknown {
  const lines = new LineCounter();
  // It would compare each key of a map with all others.
  const composer = new Composer({ logLevel: 'error', uniqueKeys: false, lineCounter: lines });
  const tokens = new ShallowParser(lines.addNewLine).parse(text);
  const [document, another] = composer.compose(tokens, true, text.length);
  // It always makes one.
  const { errors, warnings } = document!;
  const found = [...errors, ...warnings].map(({ code, pos: [at] }) => ({ code: code as string, at }));
  if (another !== undefined) found.push({ code: 'MULTIPLE_DOCS', at: another.range[0] });
  visit(document!, {
    Map: (_, { items }) => {
      for (const at of duplicatesOf(items)) found.push({ code: 'DUPLICATE_KEY', at });
    },
  });
  const problems = found.map(({ code, at }) => faultAt(code, lines.linePos(at)));
  if (problems.length === 0) {
    try {
      return document!.toJS();
    } catch {
      problems.push(`is not YAML: an alias refers to nothing, or aliases stand for too much; ${quotes}`);
    }
  }
  // A wrong file can have more than a call takes arguments.
  for (const problem of problems) faults.push(`${path}: ${problem}`);
  return undefined;
}

/** Where keys stand that the map has already. */
function duplicatesOf(items: readonly Pair[]): number[] {
  const seen = new Set<unknown>();
  const places: number[] = [];
  for (const { key } of items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value)) places.push(key.range?.[0] ?? 0);
    seen.add(key.value);
  }
  return places;
}

/** `code`: as the parser has it, `DUPLICATE_KEY`. */
function faultAt(code: string, { line, col }: { readonly line: number; readonly col: number }): string {
  const what = code.toLowerCase().replaceAll('_', ' ');
  return `is not YAML at line ${line}, column ${col} (${what}); ${quotes}`;
}
