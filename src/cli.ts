#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { type CliDeps, Exit } from './cli/deps.ts';
import { collectTags, publish } from './cli/publish.ts';
import { serve } from './cli/serve.ts';
import { mintToken } from './cli/token.ts';
import { type Config, ConfigError, describeConfig, loadConfig, type OptionName, options } from './config.ts';
import { version } from './version.ts';

/** Runs one command line, without the interpreter and the script. Answers the exit code: 1 failed, 2 wrong input. */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<number> {
  const program = createProgram(deps);
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureOutput({ writeOut: deps.print, writeErr: (text) => deps.complain(withoutValues(text)) });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return explain(error, deps);
  }
}

/** commander repeats an option that it doesn't know with its value, which may be a secret: `--token-secert=…`. */
function withoutValues(text: string): string {
  return text.replace(/(unknown option '-[\w-]+)=[\s\S]*'/g, "$1=…'");
}

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
  program
    .command('serve', { isDefault: true })
    .description('Start the gateway.')
    .action(async (flags) => serve(configOf(flags, deps), deps));
  program
    .command('publish')
    .description('Publish one update through a running gateway.')
    .argument('<topic>')
    .argument('[data]', 'JSON text, sent byte for byte; - reads it from standard input; absent: null')
    .option('--url <URL>', 'the gateway', 'http://127.0.0.1:8080')
    .option('--type <TYPE>', 'the kind of update', 'update')
    .option('--key <KEY>', 'what this is the newest value of')
    .option('--tag <NAME=VALUE>', 'a tag for filters; repeatable', collectTags, {})
    .option('--message-id <ID>', 'makes a repeat of this command harmless')
    .option('--api-key <KEY>', 'default: the first of SLUICE_API_KEYS')
    .action(async (topic: string, data: string | undefined, flags) => publish(topic, data, flags, deps));
  program
    .command('token')
    .description('Mint a token (HS256) for a client.')
    .option('--sub <USER>', 'the user; without: an anonymous bearer')
    .option('--exp <TIME>', 'how long it is good for: 30m, 1h, 7d', '1h')
    .option('--subscribe <PATTERN...>', 'topics or patterns (prefix*) that it may subscribe to')
    .option('--publish <PATTERN...>', 'that it may publish to')
    .option('--presence <PATTERN...>', 'whose members it may list')
    .action(async (flags) => deps.print(`${await mintToken(flags, configOf(flags, deps))}\n`));
  program
    .command('check-config')
    .description('Print the resolved configuration, secrets masked; exit with 2 when it has faults.')
    .action((flags) => deps.print(stringify(describeConfig(configOf(flags, deps)))));

  const secretOnly = (name: OptionName) => name === 'tokenSecret';
  addConfigOptions(commandOf(program, 'serve'));
  addConfigOptions(commandOf(program, 'check-config'));
  addConfigOptions(commandOf(program, 'token'), secretOnly);
  return program;
}

function commandOf(program: Command, name: string): Command {
  return program.commands.find((command) => command.name() === name)!;
}

function addConfigOptions(command: Command, wanted: (name: OptionName) => boolean = () => true): void {
  command.option('--config <FILE>', 'JSON or YAML file of options (env: SLUICE_CONFIG)');
  for (const { name, flag, kind, sentence, defaultText, env } of options) {
    if (!wanted(name)) continue;
    const value = kind.placeholder ? ` <${kind.placeholder}${kind.repeatable ? '...' : ''}>` : '';
    const hints = [defaultText && `default: ${defaultText}`, `env: ${env}`].filter(Boolean).join(', ');
    command.addOption(new Option(`${flag}${value}`, `${sentence} (${hints})`));
    // To overrule a variable or a file.
    if (!value) command.addOption(new Option(flag.replace('--', '--no-'), '').hideHelp());
  }
}

type Flags = Readonly<Record<string, unknown>>;

function configOf(flags: Flags, deps: CliDeps): Config {
  const named = options.map(({ name, flag }) => [name, flags[new Option(flag).attributeName()]]);
  const file = typeof flags['config'] === 'string' ? flags['config'] : undefined;
  return loadConfig({ flags: Object.fromEntries(named), env: deps.env, file });
}

/** The first signal drains; a second one, of somebody who is tired of waiting, ends the process at once. */
function signals(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
  });
}

/** npm links the command, so the script's path is compared as the file that it really is. */
const isMain =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);

if (isMain) {
  const exitCode = await runCli(process.argv.slice(2), {
    env: process.env,
    stdin: process.stdin,
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
    isTerminal: process.stdout.isTTY === true,
    fetch,
    startServer: async (config, options) => (await import('./server.ts')).startServer(config, options),
    untilStopped: signals,
  });
  process.exit(exitCode);
}
