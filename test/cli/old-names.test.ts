import { describe, expect, test } from 'vitest';
import { ConfigError, type ConfigSources, loadConfig, namespaceOptions } from '../../src/config.ts';
import { newFile } from '../support/temporary.ts';
import { run } from './world.ts';

const fileOf = (text: string) => newFile('sluice.yaml', text);

function load(sources: ConfigSources) {
  const warnings: string[] = [];
  const config = loadConfig({ ...sources, warn: (sentence) => warnings.push(sentence) });
  return { config, warnings };
}

function faultsOf(sources: ConfigSources): readonly string[] {
  try {
    loadConfig(sources);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).faults;
  }
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const flagOf = (name: string) => `--${kebab(name)}`;
const variableOf = (name: string) => `SLUICE_${kebab(name).replaceAll('-', '_').toUpperCase()}`;

const renamed = [
  ['ringMaxPublications', 'topicHistoryMaxPublications', '7', 7],
  ['ringMaxAgeSeconds', 'topicHistoryMaxAgeSeconds', '60', 60],
  ['ringMaxBytes', 'topicHistoryMaxBytes', '2MiB', 2 ** 21],
  ['ringsMaxBytes', 'historyMaxBytes', '64MiB', 2 ** 26],
  ['maxConnections', 'connectionsMax', '70', 70],
  ['maxConnectionsPerIp', 'connectionsMaxPerIp', '60', 60],
  ['maxUnauthenticatedPerIp', 'unauthenticatedMaxPerIp', '50', 50],
  ['maxConnectionsPerUser', 'connectionsMaxPerUser', '40', 40],
  ['maxHttpConnections', 'httpConnectionsMax', '3000', 3000],
] as const;

describe.each(renamed)('the old name %s', (oldName, name, text, value) => {
  test('works as a flag, with a warning', () => {
    const { config, warnings } = load({ flags: { [oldName]: text } });
    expect(config[name]).toBe(value);
    expect(warnings).toEqual([
      `${flagOf(oldName)}: is now called ${flagOf(name)}; the next version will not know the old name`,
    ]);
  });

  test('works as a variable, with a warning', () => {
    const { config, warnings } = load({ env: { [variableOf(oldName)]: text } });
    expect(config[name]).toBe(value);
    expect(warnings).toEqual([
      `${variableOf(oldName)}: is now called ${variableOf(name)}; the next version will not know the old name`,
    ]);
  });

  test('works as a key of the file, with a warning', () => {
    const file = fileOf(`${oldName}: ${text}\n`);
    const { config, warnings } = load({ file });
    expect(config[name]).toBe(value);
    expect(warnings).toEqual([
      `${oldName} in ${file}: is now called ${name}; the next version will not know the old name`,
    ]);
  });

  test('is a fault beside the new one, wherever each of them is given', () => {
    const fault = `${flagOf(oldName)}: is now called ${flagOf(name)}, and ${flagOf(name)} is given too: leave the old one out`;
    expect(faultsOf({ flags: { [oldName]: text, [name]: text } })).toEqual([fault]);
    expect(faultsOf({ flags: { [oldName]: text }, env: { [variableOf(name)]: text } })).toHaveLength(1);
    expect(faultsOf({ env: { [variableOf(oldName)]: text }, file: fileOf(`${name}: ${text}`) })).toHaveLength(
      1,
    );
  });

  test('has no warning where the new one is used', () => {
    const { config, warnings } = load({
      flags: { [name]: text },
      env: { [variableOf(name)]: text },
      file: fileOf(`${name}: ${text}\n`),
    });
    expect(config[name]).toBe(value);
    expect(warnings).toEqual([]);
  });
});

describe('old names in a namespace', () => {
  test('work, with a warning each', () => {
    const file = fileOf('namespaces: { jobs: { ringMaxPublications: 3, ringMaxBytes: 2MiB } }');
    const { config, warnings } = load({ file });
    expect(namespaceOptions(config, 'jobs')).toMatchObject({
      topicHistoryMaxPublications: 3,
      topicHistoryMaxBytes: 2 ** 21,
    });
    expect(warnings).toEqual([
      `namespaces.jobs.ringMaxPublications in ${file}: is now called topicHistoryMaxPublications; the next version will not know the old name`,
      `namespaces.jobs.ringMaxBytes in ${file}: is now called topicHistoryMaxBytes; the next version will not know the old name`,
    ]);
  });

  test('are a fault beside the new ones', () => {
    const file = fileOf('namespaces: { jobs: { ringMaxBytes: 2MiB, topicHistoryMaxBytes: 2MiB } }');
    expect(faultsOf({ file })).toEqual([
      `namespaces.jobs.ringMaxBytes in ${file}: is now called topicHistoryMaxBytes, which is given too: leave the old one out`,
    ]);
  });
});

describe('the commands', () => {
  test('serve logs the warning when it starts', async () => {
    const ends = { reload: async () => undefined, close: async () => undefined };
    const startServer = async () => ({ host: '127.0.0.1', port: 1, ...ends });
    const { exitCode, logged } = await run(['serve', '--rings-max-bytes', '64MiB'], { startServer });
    expect(exitCode).toBe(0);
    expect(JSON.parse(logged[0] as string)).toMatchObject({
      level: 40,
      msg: '--rings-max-bytes: is now called --history-max-bytes; the next version will not know the old name',
    });
  });

  test('check-config prints the new name, and the warning beside it', async () => {
    const { exitCode, out, complaints } = await run(['check-config', '--ring-max-bytes', '2MiB']);
    expect(exitCode).toBe(0);
    expect(out).toContain('topicHistoryMaxBytes: 2MiB\n');
    expect(out).not.toContain('ringMaxBytes');
    expect(complaints).toContain('--ring-max-bytes: is now called --topic-history-max-bytes');
  });

  test('serve --help shows the new names only', async () => {
    const { out } = await run(['serve', '--help']);
    expect(out).toContain('--topic-history-max-bytes');
    expect(out).not.toContain('--ring');
  });
});
