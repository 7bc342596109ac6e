import { Command, Help, Option } from 'commander';
import { stringify } from 'yaml';
import { didYouMean } from '../config/suggest.ts';
import {
  ConfigError,
  type ConfigSources,
  describeConfig,
  loadConfig,
  loadOptions,
  type OptionName,
  options,
} from '../config.ts';
import { version } from '../version.ts';
import { type CliDeps, Exit } from './deps.ts';
import { collectTags, parseCount, parseFilter } from './flag-values.ts';
import { gatewayUrl, givenUrl } from './gateway-url.ts';
import { checkHealth } from './health.ts';
import { makeKey } from './key.ts';
import { fetchOwn } from './own-fetch.ts';
import { type PublishFlags, publish } from './publish.ts';
import { serve } from './serve.ts';
import type { SubscribeFlags } from './subscribe.ts';
import { mintToken, type TokenFlags } from './token.ts';

/** Runs one command line, without the interpreter and the script. Returns the exit code: 1 failed, 2 wrong input. */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<number> {
  const program = createProgram(deps);
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .showSuggestionAfterError(false)
      .configureHelp({ formatItem })
      .configureOutput({
        writeOut: deps.print,
        writeErr: (text) => deps.complain(withNearestOption(text, command)),
      });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return explain(error, deps);
  }
}

/**
 * One command or option in `--help`. Where few columns are left beside the names, the text stands below them: commander
 * would not wrap it.
 */
function formatItem(term: string, termWidth: number, text: string, help: Help): string {
  const columns = help.helpWidth ?? 80;
  if (columns - termWidth >= besideMin)
    return Help.prototype.formatItem.call(help, term, termWidth, text, help);
  return `  ${term}\n${help.boxWrap(text, columns - below.length).replace(/^/gm, below)}`;
}

/** commander wraps a text of 40 columns or more; it leaves 4 empty ones. */
const besideMin = 44;
const below = ' '.repeat(6);

/**
 * commander prints an unknown option with its value, which may be a secret, and compares both with the options that
 * there are.
 */
function withNearestOption(text: string, command: Command): string {
  const flags = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long as string);
  return text.replace(/unknown option '(-[^=]*)(=[\s\S]*)?'/, (_, name: string, value?: string) =>
    value !== undefined && flags.includes(name)
      ? `option '${name}' takes no value; ${withNo(name)} turns it off`
      : `unknown option '${name}${value === undefined ? '' : '=…'}'${didYouMean(name, flags)}`,
  );
}

const withNo = (flag: string) => flag.replace('--', '--no-');

function explain(error: unknown, deps: CliDeps): number {
  if (error instanceof ConfigError) {
    deps.complain(`${error.message}\n`);
    return 2;
  }
  if (error instanceof Exit) {
    deps.complain(`${error.message}\n`);
    return error.exitCode;
  }
  // commander has printed its own message by now; it ends --help and --version the same way.
  if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? 0 : 2;
  throw error;
}

export function createProgram(deps: CliDeps): Command {
  const program = new Command('sluice')
    .description('Self-hosted real-time push gateway for dashboards.')
    .version(version);
  for (const add of [addServe, addPublish, addSubscribe, addHealth, addToken, addKey, addCheckConfig])
    add(program, deps);
  return program;
}

function addServe(program: Command, deps: CliDeps): void {
  const command = program
    .command('serve', { isDefault: true })
    .description('Start the gateway.')
    // commander treats an unknown command as an argument of this one.
    .allowExcessArguments()
    .action(async (flags, { args: [unknown] }: Command) => {
      if (unknown !== undefined) throw unknownCommand(unknown, program);
      await serve((warn) => loadConfig({ ...sourcesOf(flags, deps), warn }), deps);
    });
  addConfigOptions(command);
}

function addPublish(program: Command, deps: CliDeps): void {
  program
    .command('publish')
    .description('Publish one update through a running gateway.')
    .argument('<topic>')
    .argument('[data]', 'JSON text, sent byte for byte; - reads standard input; default: null')
    .option('--url <URL>', 'URL of the gateway; default: from the environment or the file')
    .option('--config <FILE>', 'JSON or YAML file with options. (env: SLUICE_CONFIG)')
    .option('--type <TYPE>', 'type of the update', 'update')
    .option('--key <KEY>', 'key, for state topics')
    .option('--tag <NAME=VALUE>', 'tag for filters; repeatable', collectTags, {})
    .option('--message-id <ID>', 'idempotency key: a repeat is not published again')
    .option('--api-key <KEY>', 'API key; default: the first of SLUICE_API_KEYS')
    .option(
      '--token <TOKEN>',
      'token instead of an API key; default: minted for this topic if only SLUICE_TOKEN_SECRET is set',
    )
    .action(async (topic: string, data: string | undefined, flags: PublishFlags & Remote) => {
      const target = {
        url: urlOf(flags, deps),
        credential: await credentialFor({ publish: [topic] }, flags, deps),
      };
      await publish(target, topic, data, flags, reaching(flags, deps));
    });
}

function addSubscribe(program: Command, deps: CliDeps): void {
  program
    .command('subscribe')
    .description('Print the updates of topics of a running gateway, one line of JSON each.')
    .argument('<topics...>', 'topics, or patterns: prefix*')
    .option('--url <URL>', 'URL of the gateway; default: from the environment or the file')
    .option('--config <FILE>', 'JSON or YAML file with options. (env: SLUICE_CONFIG)')
    .option('--last <N>', 'start with the newest N updates of each topic', parseCount)
    .option('--filter <JSON>', 'only updates whose tags match', parseFilter)
    .option('--interval <MS>', 'at most one batch per interval', parseCount)
    .option('--count <N>', 'exit after N updates', parseCount)
    .option('--api-key <KEY>', 'API key; default: the first of SLUICE_API_KEYS')
    .option(
      '--token <TOKEN>',
      'token instead of an API key; default: minted for these topics if only SLUICE_TOKEN_SECRET is set',
    )
    .action(async (topics: string[], flags: SubscribeFlags & Remote) => {
      const target = {
        url: urlOf(flags, deps),
        credential: () => credentialFor({ subscribe: topics }, flags, deps),
        isOwn: flags.url === undefined,
      };
      // Only this command needs the SDK.
      const { subscribe } = await import('./subscribe.ts');
      await subscribe(target, topics, flags, deps);
    });
}

function addHealth(program: Command, deps: CliDeps): void {
  const command = program
    .command('health')
    .description('Check that the gateway on this machine is alive; exit with 1 if it is not.')
    .option('--url <URL>', 'URL of the gateway; default: from SLUICE_RUN_FILE, or from the options')
    .action(async (flags: Remote) => checkHealth(urlOf(flags, deps), reaching(flags, deps)));
  addConfigOptions(command, whereOptions);
}

function addToken(program: Command, deps: CliDeps): void {
  const command = program
    .command('token')
    .description('Mint a token (HS256) for a client.')
    .option('--sub <USER>', 'user; without it the token is for an anonymous bearer')
    .option('--exp <TIME>', 'lifetime: 30m, 1h, 7d', '1h')
    .option('--subscribe <PATTERN...>', 'topics or patterns (prefix*) to subscribe to')
    .option('--publish <PATTERN...>', 'topics or patterns to publish to')
    .option('--presence <PATTERN...>', 'topics or patterns whose members to list')
    .action(async (flags) =>
      deps.print(`${await mintToken(flags, loadOptions(['tokenSecret'], sourcesOf(flags, deps)))}\n`),
    );
  addConfigOptions(command, ['tokenSecret']);
}

function addKey(program: Command, deps: CliDeps): void {
  program
    .command('key')
    .description('Generate an API key, and the hash of it for the gateway’s configuration.')
    .option('--name <NAME>', 'name in logs and metrics: A-Z a-z 0-9 _ . -', 'key')
    .action(({ name }: { readonly name: string }) => deps.print(makeKey(name)));
}

function addCheckConfig(program: Command, deps: CliDeps): void {
  const command = program
    .command('check-config')
    .description('Print the resolved configuration with masked secrets; exit with 2 if it is invalid.')
    .action((flags) => {
      const warn = (sentence: string) => deps.complain(`${sentence}\n`);
      deps.print(stringify(describeConfig(loadConfig({ ...sourcesOf(flags, deps), warn }))));
    });
  addConfigOptions(command);
}

function unknownCommand(unknown: string, program: Command): Exit {
  const names = program.commands.map((command) => command.name());
  // It may be a secret: `token-secret=…` without its dashes, or `--token-secret= …`.
  const shown = /^[a-z-]+$/.test(unknown) ? unknown : `${/^[a-z-]+=/.exec(unknown)?.[0] ?? ''}…`;
  const isValue = unknown === 'true' || unknown === 'false';
  const meant = isValue
    ? ': flags like --canary take no value, and --no-canary turns it off.'
    : didYouMean(unknown, names) || '.';
  return new Exit(2, `error: unknown command '${shown}'${meant} There are: ${names.join(', ')}`);
}

function addConfigOptions(
  command: Command,
  wanted: readonly OptionName[] = options.map(({ name }) => name),
): void {
  command.option('--config <FILE>', 'JSON or YAML file with options. (env: SLUICE_CONFIG)');
  for (const { name, flag, kind, sentence, defaultText, env, renamedFrom } of options) {
    if (!wanted.includes(name)) continue;
    const value = kind.placeholder ? ` <${kind.placeholder}${kind.repeatable ? '...' : ''}>` : '';
    const hints = [defaultText && `default: ${defaultText}`, `env: ${env}`].filter(Boolean).join(', ');
    command.addOption(new Option(`${flag}${value}`, `${sentence} (${hints})`));
    if (renamedFrom) command.addOption(new Option(`${renamedFrom.flag}${value}`, '').hideHelp());
    // `--no-…` overrides a variable or a file.
    if (!value) command.addOption(new Option(withNo(flag), '').hideHelp());
  }
}

type Flags = Readonly<Record<string, unknown>>;

function sourcesOf(flags: Flags, deps: CliDeps): ConfigSources {
  const names = options.flatMap((row) => (row.renamedFrom ? [row, row.renamedFrom] : [row]));
  const values = names.map(({ name, flag }) => [name, flags[new Option(flag).attributeName()]]);
  const file = typeof flags['config'] === 'string' ? flags['config'] : undefined;
  return { flags: Object.fromEntries(values), env: deps.env, file };
}

/** Flags of commands that talk to a running gateway. */
interface Remote extends Flags {
  readonly url?: string;
  readonly apiKey?: string;
  readonly token?: string;
}

const whereOptions = ['host', 'port', 'runFile', 'tlsCertFile', 'tlsKeyFile'] as const;

/** Without a URL the gateway is on this machine, where its certificate need not match. */
function reaching(flags: Remote, deps: CliDeps): CliDeps {
  if (flags.url !== undefined) return deps;
  const reach: typeof fetch = (input, init) =>
    typeof input === 'string' && input.startsWith('https:') ? fetchOwn(input, init) : deps.fetch(input, init);
  return { ...deps, fetch: reach };
}

function urlOf(flags: Remote, deps: CliDeps): string {
  return flags.url === undefined
    ? gatewayUrl(loadOptions(whereOptions, sourcesOf(flags, deps)))
    : givenUrl(flags.url);
}

/** The credential from the flags, or else from the gateway's own keys or token secret; undefined: there is none. */
async function credentialFor(
  wanted: Omit<TokenFlags, 'exp'>,
  flags: Remote,
  deps: CliDeps,
): Promise<string | undefined> {
  const credential = flags.apiKey ?? flags.token;
  if (credential !== undefined) return credential;
  const { config } = flags;
  const { apiKeys, tokenSecret } = loadOptions(['apiKeys', 'tokenSecret'], sourcesOf({ config }, deps));
  if (apiKeys.length > 0 || tokenSecret === undefined)
    return apiKeys.find(({ key }) => key !== undefined)?.key;
  return mintToken({ ...wanted, exp: '1m' }, { tokenSecret });
}
