import { closeSync, openSync, readSync } from 'node:fs';
import { isScalar, LineCounter, type Pair, parseDocument, visit, type YAMLError } from 'yaml';

export type Entries = Readonly<Record<string, unknown>>;

/** A running gateway reads the file, too: much more would hold it up for seconds. */
const fileMaxBytes = 2 ** 20;

export const quotes = 'a text that begins with one of * & ! # % @ ` | > needs quotes';

/**
 * The entries of a JSON or YAML file. Adds to `faults` what is wrong with it, without anything of its content, which
 * may be secret.
 */
export function readEntries(path: string, faults: string[]): Entries {
  try {
    const content = parseYaml(readText(path), path, faults);
    if (content === null || content === undefined) return {};
    if (typeof content === 'object' && !Array.isArray(content)) return content as Entries;
    faults.push(`${path}: must hold an object`);
  } catch (error) {
    const why = error instanceof UnreadableFile ? error.message : causeOf(error as NodeJS.ErrnoException);
    faults.push(`${path}: ${why}`);
  }
  return {};
}

class UnreadableFile extends Error {}

function causeOf({ code }: NodeJS.ErrnoException): string {
  return `cannot be read${code === undefined ? '' : `: ${code}`}`;
}

/** Without a byte order mark. Devices and pipes have no size: they are read as far as a file may be long. */
function readText(path: string): string {
  const bytes = Buffer.alloc(fileMaxBytes + 1);
  const file = openSync(path, 'r');
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null);
  } finally {
    closeSync(file);
  }
  if (length > fileMaxBytes) throw new UnreadableFile('is larger than 1MiB');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch {
    throw new UnreadableFile('is not UTF-8');
  }
}

/**
 * The parser's messages are not shown, because they quote the file with its secrets. Its warnings count as faults,
 * because the parser has ignored something.
 */
function parseYaml(text: string, path: string, faults: string[]): unknown {
  const lines = new LineCounter();
  // It would compare each key of a map with all others.
  const document = parseDocument(text, { logLevel: 'error', uniqueKeys: false, lineCounter: lines });
  const problems = [...document.errors, ...document.warnings].map(yamlFault);
  visit(document, {
    Map: (_, { items }) => {
      for (const at of duplicatesOf(items)) problems.push(faultAt('duplicate key', lines.linePos(at)));
    },
  });
  if (problems.length === 0) {
    try {
      return document.toJS();
    } catch {
      problems.push(`is not YAML: an alias refers to nothing, or aliases stand for too much; ${quotes}`);
    }
  }
  faults.push(...problems.map((problem) => `${path}: ${problem}`));
  return undefined;
}

/** Where keys stand that the map has already. */
function duplicatesOf(items: readonly Pair[]): number[] {
  const seen = new Set<unknown>();
  const found: number[] = [];
  for (const { key } of items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value)) found.push(key.range?.[0] ?? 0);
    seen.add(key.value);
  }
  return found;
}

function yamlFault({ code, linePos }: YAMLError): string {
  return faultAt(code.toLowerCase().replaceAll('_', ' '), linePos?.[0]);
}

function faultAt(what: string, at: { readonly line: number; readonly col: number } | undefined): string {
  const where = at === undefined ? '' : ` at line ${at.line}, column ${at.col}`;
  return `is not YAML${where} (${what}); ${quotes}`;
}
