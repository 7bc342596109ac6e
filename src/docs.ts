import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { routes } from './api/routes.ts';
import { createProgram } from './cli/commands.ts';
import type { CliDeps } from './cli/deps.ts';
import { options } from './config.ts';
import { closeTable, errorTable } from './errors.ts';
import { metricRows } from './metrics.ts';
import { commandTable } from './sessions/command-table.ts';

type Cell = string | number;

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (text: string) => (text === '' ? '' : `\`${text}\``);
const yes = (value: boolean) => (value ? 'yes' : 'no');

/** Nothing of it is called: the program is only looked at. */
const unusedDeps = { env: {} } as CliDeps;

function commandRows(): string[][] {
  return createProgram(unusedDeps).commands.map((command) => {
    const usage = command.registeredArguments.map((each) =>
      each.required ? `<${each.name()}>` : `[${each.name()}]`,
    );
    return [code(['sluice', command.name(), ...usage].join(' ')), command.description()];
  });
}

/** What stands between `<!-- generated:NAME -->` and `<!-- /generated -->`. A new section is a new entry. */
const sections: Readonly<Record<string, () => string>> = {
  options: () =>
    table(
      ['option', 'default', 'flag', 'variable', 'what it does'],
      options.map(({ name, defaultText, flag, env, sentence }) => [
        code(name),
        defaultText,
        code(flag),
        code(env),
        sentence,
      ]),
    ),
  metrics: () =>
    table(
      ['metric', 'type', 'labels', 'what it says'],
      metricRows.map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]),
    ),
  errors: () =>
    table(
      ['code', 'number', 'HTTP', 'retry', 'when'],
      Object.entries(errorTable).map(([name, { number, http, retry, summary }]) => [
        code(name),
        number,
        http,
        yes(retry),
        summary,
      ]),
    ),
  'close-codes': () =>
    table(
      ['close code', 'name', 'reconnect', 'when'],
      Object.entries(closeTable).map(([name, { number, retry, summary }]) => [
        number,
        code(name),
        yes(retry),
        summary,
      ]),
    ),
  'protocol-commands': () =>
    table(
      ['command', 'what it does'],
      Object.entries(commandTable).map(([name, { summary }]) => [code(name), summary]),
    ),
  routes: () =>
    table(
      ['route', 'needs', 'what it does'],
      routes.map(({ method, path, access, byToken, summary }) => [
        code(`${method} ${path}`),
        access === 'none' ? '' : `${access}${byToken ? ', or a token' : ''}`,
        summary,
      ]),
    ),
  commands: () => table(['command', 'what it does'], commandRows()),
};

const marked = /(<!-- generated:([\w-]+) -->\n)[\s\S]*?(<!-- \/generated -->)/g;

/** The text with every generated section made anew. Throws where a marker names no section. */
export function renderDocs(text: string): string {
  return text.replace(marked, (_, begin: string, name: string, end: string) => {
    const section = Object.hasOwn(sections, name) ? sections[name] : undefined;
    if (!section)
      throw new Error(`README.md wants the section ${name}; there are ${Object.keys(sections).join(', ')}`);
    return `${begin}\n${section()}\n\n${end}`;
  });
}

export const sectionNames: readonly string[] = Object.keys(sections);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const readme = new URL('../README.md', import.meta.url);
  writeFileSync(readme, renderDocs(readFileSync(readme, 'utf8')));
}
