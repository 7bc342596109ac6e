/**
 * `npm run build:client`, after the compiler: the declarations of the package `sluice-client`, without those that no
 * entry reaches. There is one set, as CommonJS: modules may import its types, which is not so the other way round.
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';

/** A declaration, or one name of an import or export. */
interface Part {
  readonly text: string;
  readonly declared: string | undefined;
  readonly mentioned: ReadonlySet<string>;
  /** The file that declares what is mentioned; undefined: one of another package. */
  readonly path: string | undefined;
}

const dist = resolve(import.meta.dirname, 'client/dist');
const compiled = join(dist, 'declarations');
const entries = ['index', 'json/index', 'page/index', 'react/index'];
const files = new Map<string, readonly Part[]>();
const reached = new Set<Part>();

for (const entry of entries) partsOf(join(compiled, 'client', `${entry}.d.ts`)).forEach(reach);
for (const [path, parts] of files) {
  const kept = parts.filter((part) => reached.has(part) || part.text === 'export {};');
  write(`cjs/types/${relative(compiled, path)}`, kept.map(({ text }) => text).join('\n'));
}
for (const entry of entries) {
  const up = '../'.repeat(entry.split('/').length - 1) || './';
  // What an entry returns may have a name in the main one only, which declarations of an application then refer to.
  const main = entry === 'index' ? '' : `\nimport type {} from '${up}index.js';`;
  write(`${entry}.d.ts`, `export * from '${up}cjs/types/client/${entry}.js';${main}`);
  write(`cjs/${entry}.d.ts`, `export * from '${up}types/client/${entry}.js';${main}`);
}
rmSync(compiled, { recursive: true });

function reach(part: Part): void {
  if (reached.has(part)) return;
  reached.add(part);
  if (part.path === undefined) return;
  for (const other of partsOf(part.path))
    if (other.declared !== undefined && part.mentioned.has(other.declared)) reach(other);
}

function partsOf(path: string): readonly Part[] {
  const known = files.get(path);
  if (known !== undefined) return known;
  const code = readFileSync(path, 'utf8');
  let end = 0;
  const parts = parseSync(path, code).program.body.flatMap((statement): Part | Part[] => {
    const text = code.slice(end, statement.end).trim();
    end = statement.end;
    if (!('specifiers' in statement) || statement.specifiers.length === 0) return declaration(text, path);
    const { source, specifiers } = statement;
    const from = source === null ? '' : ` from ${source.raw}`;
    const keywords = code.slice(statement.start, code.indexOf('{', statement.start));
    return specifiers.map((specifier) => {
      const isExport = specifier.type === 'ExportSpecifier';
      const named = 'imported' in specifier ? specifier.imported : specifier.local;
      return {
        text: `${keywords}{ ${code.slice(specifier.start, specifier.end)} }${from};`,
        declared: nameOf(isExport ? specifier.exported : specifier.local),
        mentioned: new Set([nameOf(named)]),
        path: source === null ? path : declaredAt(source.value, dirname(path)),
      };
    });
  });
  files.set(path, parts);
  return parts;
}

function declaredAt(specifier: string, folder: string): string | undefined {
  return specifier.startsWith('.') ? join(folder, specifier.replace(/tsx?$/, 'd.ts')) : undefined;
}

/** What is mentioned in comments is kept too: that is little. */
function declaration(text: string, path: string): Part {
  const [, declared] =
    /^(?:(?:export|declare|abstract) )*(?:class|const|function|interface|type) (\w+)/m.exec(text) ?? [];
  return { text, declared, mentioned: new Set(text.match(/\w+/g)), path };
}

function nameOf(name: { readonly name: string } | { readonly value: string }): string {
  return 'name' in name ? name.name : name.value;
}

function write(path: string, text: string): void {
  const file = join(dist, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${text}\n`);
}
