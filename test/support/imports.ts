import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** A source file and what it imports. Paths are relative to the folder that was read, with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly files: readonly string[];
  readonly packages: readonly string[];
  readonly identifiers: ReadonlySet<string>;
}

/** Reads every TypeScript file of a folder, generated declarations excepted. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
    .map((path) => readSource(folder, path));
}

function readSource(folder: string, path: string): SourceFile {
  const { specifiers, identifiers } = requestsOf(path, readFileSync(join(folder, path), 'utf8'));
  const all = [...specifiers];
  return {
    path,
    files: all.filter((each) => each.startsWith('.')).map((each) => normalize(join(dirname(path), each))),
    packages: all.filter((each) => !each.startsWith('.')),
    identifiers,
  };
}

interface Requests {
  readonly specifiers: Set<string>;
  readonly identifiers: Set<string>;
}

/** Static, type-only, re-exporting and dynamic imports, and `import('…')` in types. */
export function requestsOf(path: string, source: string): Requests {
  const specifiers = new Set<string>();
  const identifiers = new Set<string>();
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`);
  const request = (node: { value?: unknown } | null | undefined) => {
    if (typeof node?.value === 'string') specifiers.add(node.value);
  };
  new Visitor({
    ImportDeclaration: (node) => request(node.source),
    ExportNamedDeclaration: (node) => request(node.source),
    ExportAllDeclaration: (node) => request(node.source),
    ImportExpression: (node) => request(node.source as { value?: unknown }),
    TSImportType: (node) => request(node.source),
    Identifier: (node) => {
      identifiers.add(node.name);
    },
  }).visit(program);
  return { specifiers, identifiers };
}

/** The first cycle found among the files, as its path; empty: there is none. */
export function findCycle(sources: readonly Pick<SourceFile, 'path' | 'files'>[]): string[] {
  const imports = new Map(sources.map((source) => [source.path, source.files]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of imports.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const { path } of sources) {
    const cycle = visit(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
