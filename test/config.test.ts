import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  accessSummary,
  admitsAnonymous,
  ConfigError,
  type ConfigSources,
  describeConfig,
  loadConfig,
  namespaceOptions,
  options,
} from '../src/config.ts';
import { newFile, newFolder } from './support/temporary.ts';

const fileOf = (text: string) => newFile('sluice.yaml', text);

function faultsOf(sources: ConfigSources): readonly string[] {
  try {
    loadConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const apiKey = 'k'.repeat(20);
const tokenSecret = 's3cr3t-'.repeat(6);

describe('the option table', () => {
  test('gives every option a flag and a variable of its own', () => {
    expect(new Set(options.map(({ flag }) => flag)).size).toBe(options.length);
    expect(new Set(options.map(({ env }) => env)).size).toBe(options.length);
    expect(options.find(({ name }) => name === 'connectionsMaxPerIp')).toMatchObject({
      flag: '--connections-max-per-ip',
      env: 'SLUICE_CONNECTIONS_MAX_PER_IP',
    });
  });

  test('has defaults that its own kinds accept', () => {
    for (const { kind, default: value } of options) expect(kind.schema.parse(value)).toEqual(value);
  });

  test('says in its defaults what its kinds would read back', () => {
    for (const { kind, default: value, defaultText } of options) {
      if (defaultText !== '') expect(kind.schema.parse(defaultText)).toEqual(value);
    }
  });
});

describe('loadConfig', () => {
  test('takes a flag over a variable over the file over the default', () => {
    const file = fileOf('port: 3\nconnectionsMax: 3\nviewsMax: 3\n');
    const env = { SLUICE_PORT: '2', SLUICE_CONNECTIONS_MAX: '2' };
    const config = loadConfig({ flags: { port: '1' }, env, file });
    expect(config).toMatchObject({ port: 1, connectionsMax: 2, viewsMax: 3, topicsMax: 100_000 });
  });

  test('is frozen all the way down', () => {
    const config = loadConfig({ flags: { apiKeys: [apiKey] } });
    const freezable = [config, config.apiKeys, config.namespaces, namespaceOptions(config, 'x')];
    expect(freezable.every(Object.isFrozen)).toBe(true);
    expect(Object.isFrozen(namespaceOptions(config, 'x').anonymous)).toBe(true);
  });

  test('leaves the table’s own defaults alone', () => {
    expect(loadConfig()).toEqual(loadConfig());
    expect(loadConfig().port).toBe(8080);
  });

  test.each([
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['0.5 MiB', 524_288],
    ['1MiB', 1_048_576],
    [70_000, 70_000],
  ])('reads the size %s', (text, bytes) => {
    expect(loadConfig({ flags: { topicHistoryMaxBytes: text } }).topicHistoryMaxBytes).toBe(bytes);
  });

  test.each(['64KB', '64k', '-1', '1e9', '', 'MiB', '0.3KiB', null, 1.5, [65_536]])(
    'refuses the size %j',
    (text) => {
      expect(faultsOf({ flags: { frameMaxBytes: text } })).toHaveLength(1);
    },
  );

  test('reads lists from variables, repeated flags and files', () => {
    expect(loadConfig({ env: { SLUICE_ORIGINS: 'https://a.example, https://b.example' } }).origins).toEqual([
      'https://a.example',
      'https://b.example',
    ]);
    expect(loadConfig({ flags: { trustedProxies: ['10.0.0.0/8', '::1'] } }).trustedProxies).toHaveLength(2);
    expect(loadConfig({ file: fileOf('origins: ["*"]') }).origins).toEqual(['*']);
  });

  test.each([
    ['origins', 'https://a.example/'],
    ['origins', 'a.example'],
    ['trustedProxies', '10.0.0.0/33'],
    ['trustedProxies', '127'],
    ['trustedProxies', '10/8'],
    ['trustedProxies', '010.0.0.0/8'],
    ['trustedProxies', '0x0a.0.0.0/8'],
    ['trustedProxies', 'proxy.example'],
    ['port', '65536'],
    ['port', '80.5'],
    ['idleTimeoutSeconds', '9'],
    ['batchMaxDelayMs', '1001'],
    ['engine', 'sqlite'],
    ['sourceHost', 'yes'],
    ['host', 'a b'],
    ['host', '999.1.1.1'],
    ['adminHost', '127.1'],
    ['unixSocket', `/run/${'ü'.repeat(52)}`],
  ] as const)('refuses %s = %s, and says so', (name, value) => {
    const [fault, ...others] = faultsOf({ flags: { [name]: value } });
    expect(others).toEqual([]);
    expect(fault).toContain(options.find((row) => row.name === name)?.flag);
    expect(fault).toContain(`not ${JSON.stringify(value)}`);
  });

  test.each([
    'https://dash.example.org',
    'http://localhost:5173',
    'http://[::1]:8080',
    'capacitor://localhost',
    'ionic://localhost',
    'tauri://localhost',
    'app://obsidian.md',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'moz-extension://0a1b2c3d-0000-4000-8000-000000000000',
    'vscode-webview://1a2b3c',
    'null',
    'file://',
    '*',
  ])('takes %s as an origin', (origin) => {
    expect(loadConfig({ env: { SLUICE_ORIGINS: origin } }).origins).toEqual([origin]);
    expect(loadConfig({ file: fileOf(`origins: ["${origin}"]`) }).origins).toEqual([origin]);
  });

  test.each([
    ['https://a.example/', 'must be written as browsers send it: https://a.example,'],
    ['https://a.example/app', 'must be written as browsers send it: https://a.example,'],
    ['https://A.example', 'must be written as browsers send it: https://a.example,'],
    ['https://a.example:443', 'must be written as browsers send it: https://a.example,'],
    ['https://bücher.example', 'must be written as browsers send it: https://xn--bcher-kva.example,'],
    ['capacitor://localhost/', 'must be written as apps send it: capacitor://localhost,'],
    ['tauri://localhost/index.html', 'must be written as apps send it: tauri://localhost,'],
    ['a.example', 'must be origins like'],
    ['localhost:5173', 'must be origins like'],
    ['https://*.example.org', 'must name each origin'],
    ['chrome-extension://*', 'must name each origin'],
    ['chrome-extension://', 'must be origins like'],
    ['wss://a.example', 'must be origins like'],
    ['file:///home', 'must be origins like'],
    ['data:text/html', 'must be origins like'],
    ['NULL', 'must be origins like'],
  ])('says how %s must be written', (origin, fault) => {
    expect(faultsOf({ flags: { origins: [origin] } })).toEqual([
      expect.stringContaining(`--origin: ${fault}`),
    ]);
  });

  test('names each wrong item of a list', () => {
    const origins = ['https://a.example/b', 'https://c.example', 'd'];
    expect(faultsOf({ flags: { origins } })).toEqual([
      expect.stringContaining('not "https://a.example/b"'),
      expect.stringContaining('not "d"'),
    ]);
  });

  test.each(['', ['']])(
    'refuses the empty value %j of each flag, as a variable that is not set leaves it',
    (value) => {
      for (const { name, flag } of options)
        expect(faultsOf({ flags: { [name]: value } }), name).toEqual([
          `${flag}: is empty: leave it out, or give it a value`,
        ]);
    },
  );

  test('treats an empty variable as not set', () => {
    expect(loadConfig({ env: { SLUICE_TOKEN_SECRET: '', SLUICE_PORT: '' } })).toMatchObject({
      tokenSecret: undefined,
      port: 8080,
    });
  });

  describe('with the variables of a Kubernetes Service', () => {
    const linksOf = (service: string) => ({
      [`${service}_SERVICE_HOST`]: '10.0.0.1',
      [`${service}_SERVICE_PORT`]: '8080',
      [`${service}_SERVICE_PORT_HTTP_ALT`]: '8080',
      [`${service}_PORT`]: 'tcp://10.0.0.1:8080',
      [`${service}_PORT_8080_TCP`]: 'tcp://10.0.0.1:8080',
      [`${service}_PORT_8080_TCP_PROTO`]: 'tcp',
      [`${service}_PORT_8080_TCP_PORT`]: '8080',
      [`${service}_PORT_8080_TCP_ADDR`]: '10.0.0.1',
      [`${service}_PORT_53_UDP`]: 'udp://[fd00::1]:53',
      [`${service}_PORT_53_UDP_ADDR`]: 'fd00::1',
    });

    test.each([
      'SLUICE',
      'SLUICE_REDIS',
      'SLUICE_HEADLESS',
      'SLUICE_2',
      'SLUICE_PORT',
      'SLUICE_CONNECTIONS_MAX',
    ])('ignores those of %s', (service) => {
      const env = linksOf(service);
      expect(loadConfig({ env })).toEqual(loadConfig());
      expect(loadConfig({ env: { ...env, SLUICE_CONNECTIONS_MAX: '7' } }).connectionsMax).toBe(7);
    });

    test.each(['tcp://10.0.0.1:8080', 'udp://10.0.0.1:8080', 'sctp://[fd00::1]:8080'])(
      'takes the port from elsewhere when SLUICE_PORT is %s',
      (link) => {
        const env = { SLUICE_PORT: link };
        expect(loadConfig({ env, file: fileOf('port: 9') }).port).toBe(9);
        expect(loadConfig({ env, flags: { port: '10' } }).port).toBe(10);
      },
    );

    test.each([
      ['SLUICE_PROT', '9000', 'SLUICE_PROT: is no option, did you mean SLUICE_PORT?'],
      ['SLUICE_HTTP_PORT', '9000', 'SLUICE_HTTP_PORT: is no option'],
      ['SLUICE_REDIS_PORT', 'http://10.0.0.1:80', 'SLUICE_REDIS_PORT: is no option'],
      ['SLUICE_PORT_TCP', 'tcp://10.0.0.1:80', 'SLUICE_PORT_TCP: is no option'],
      ['SLUICE_SERVICE_HOSTS', '10.0.0.1', 'SLUICE_SERVICE_HOSTS: is no option'],
      ['SLUICE_PORT', 'http://10.0.0.1:80', 'SLUICE_PORT: must be a whole number'],
      ['SLUICE_PORT', 'tcp://10.0.0.1', 'SLUICE_PORT: must be a whole number'],
      ['SLUICE_HOST', 'tcp://10.0.0.1:80', 'SLUICE_HOST: must be an IP address'],
    ])('does not take %s=%s for one of them', (name, value, fault) => {
      expect(faultsOf({ env: { [name]: value } })).toEqual([expect.stringContaining(fault)]);
    });
  });

  test('reads the file that SLUICE_CONFIG names, also as JSON', () => {
    expect(loadConfig({ env: { SLUICE_CONFIG: fileOf('{"port": 9}') } }).port).toBe(9);
  });

  test.each(['', '# nothing\n', 'port:\n'])('takes a file of %j for one without options', (text) => {
    expect(loadConfig({ file: fileOf(text) }).port).toBe(8080);
  });
});

describe('the faults', () => {
  test('come all together, each with its place', () => {
    const file = fileOf(
      'prot: 1\ntopicHistoryMaxAgeSeconds: soon\nnamespaces:\n  job:\n    mode: queue\n    presense: true\n',
    );
    const env = { SLUICE_CONECTIONS_MAX: '5', SLUICE_VIEWS_MAX: 'many', HOME: '/' };
    const faults = faultsOf({ flags: { port: 'x' }, env, file });
    const expected = [
      'SLUICE_CONECTIONS_MAX: is no option, did you mean SLUICE_CONNECTIONS_MAX?',
      `prot in ${file}: is no option, did you mean port?`,
      '--port: must be a whole number from 0 to 65535, not "x"',
      'SLUICE_VIEWS_MAX: must be a whole number from 1 to 10000000, not "many"',
      `topicHistoryMaxAgeSeconds in ${file}: must be a whole number from 1 to 31536000, not "soon"`,
      `namespaces.job.mode in ${file}: must be one of stream, state`,
      `namespaces.job in ${file}: has no option presense, did you mean presence?`,
    ];
    expect([...faults].sort()).toEqual(expected.sort());
  });

  test('suggest what a namespace has in this place', () => {
    const file = fileOf(
      'namespaces:\n  a:\n    subscribe: true\n    anonymous:\n      presence: true\n      publsh: true\n',
    );
    expect(faultsOf({ file })).toEqual([
      `namespaces.a.anonymous in ${file}: has no option presence; has no option publsh, did you mean publish?`,
      `namespaces.a in ${file}: has no option subscribe`,
    ]);
  });

  test('suggest a name that is written in another style, and nothing where nothing is near', () => {
    const file = fileOf('connections_max: 1\ncolour: red\n');
    expect(faultsOf({ file })).toEqual([
      `connections_max in ${file}: is no option, did you mean connectionsMax?`,
      `colour in ${file}: is no option`,
    ]);
  });

  test('suggest each variable and key by a name that has its words in another order', () => {
    const reversed = (name: string) => name.split('_').reverse().join('_');
    for (const { name, env } of options) {
      const [variable, key] = [`SLUICE_${reversed(env.slice(7))}`, reversed(env.slice(7)).toLowerCase()];
      if (options.some((each) => [each.env, each.renamedFrom?.env].includes(variable))) continue;
      const file = fileOf(`${key}: hunter2`);
      expect(faultsOf({ file, env: { [variable]: 'hunter2' } })).toEqual([
        `${variable}: is no option, did you mean ${env}?`,
        `${key} in ${file}: is no option, did you mean ${name}?`,
      ]);
    }
  });

  test('never show a secret', () => {
    const short = 'hunter2';
    const file = fileOf(`tokenSecret: ${short}\napiKeys: [${short}]\n`);
    const env = { SLUICE_TOKEN_SECRET: short, SLUICE_API_KEYS: short };
    const sources: ConfigSources[] = [{ file }, { env }, { flags: { tokenSecret: short, apiKeys: [short] } }];
    for (const each of sources) {
      expect(faultsOf(each)).toHaveLength(2);
      expect(faultsOf(each).join()).not.toContain(short);
    }
  });

  test('do not quote a file that cannot be parsed, which may hold secrets', () => {
    const faults = faultsOf({ file: fileOf('tokenSecret: [hunter2\nport: 1\n') });
    expect(faults).toHaveLength(1);
    expect(faults.join()).not.toContain('hunter2');
  });

  const hidden = 'hunter2hunter2hunter2hunter2hunter2hunter2';
  test.each([
    `tokenSecret: *${hidden}\n`,
    `tokenSecret: !${hidden} rest of it, long enough to be a secret\n`,
    `tokenSecret: &${hidden}\n`,
    `tokenSecret: "#${hidden}\n`,
    `tokenSecret: #${hidden}\n`,
    `tokenSecret: @${hidden}\n`,
    `tokenSecret: |${hidden}\n`,
    `tokenSecret:${hidden}\n`,
    `port: 1\ntokenSecret:${hidden}\n`,
    `{tokenSecret:${hidden}}\n`,
    `{"tokenSecret" "${hidden}"}\n`,
    `apiKeys:\n  - *${hidden}\n`,
    `hookEvents: http:/u:${hidden}@h\n`,
    `hookEvents: u:${hidden}@h\n`,
    `origins: https://u:${hidden}/?#@h\n`,
    `tokenKeysUrl: https://u:a/${hidden}@h\n`,
    `apiKeys: {${hidden}: 1}\n`,
    `port:\n  tokenSecret: ${hidden}\n`,
    `origins:\n  - tokenSecret: ${hidden}\n`,
    `logLevel: debug\n  tokenSecret ${hidden}\n`,
    `logLevel: debug\n  tokenSecret: ${hidden}\n`,
    `namespaces:\n  tokenSecret: ${hidden}\n`,
    `namespaces:\n  a: {"tokenSecret:${hidden}": 1}\n`,
    `namespaces:\n  "tokenSecret: ${hidden}": {}\n`,
    `? tokenSecret ${hidden}\n: 1\n`,
    `tokenSecret: ${hidden}: 1\n`,
    `%${hidden}\n---\nport: x\n`,
    `origins: ["https://${hidden}@dash.example.org"]\n`,
  ])('do not print a secret that is written wrong: %j', (text) => {
    const warned: unknown[] = [];
    const listen = (warning: unknown) => warned.push(warning);
    process.on('warning', listen);
    const faults = faultsOf({ file: fileOf(text) });
    process.off('warning', listen);
    expect(faults).not.toEqual([]);
    expect(faults.join('\n')).not.toContain('hunter2');
    expect(warned).toEqual([]);
  });

  test('name the place of what is no YAML, and what to do', () => {
    const file = fileOf(`port: 1\ntokenSecret: @${hidden}\n`);
    expect(faultsOf({ file })).toEqual([
      `${file}: is not YAML at line 2, column 14 (bad scalar start); a text that begins with one of * & ! # % @ \` | > needs quotes`,
    ]);
  });

  test.each([
    ['a secret that came out empty', `tokenSecret: #${hidden}\n`, 'is empty'],
    ['keys that came out empty', `apiKeys: #${hidden}\n`, 'is empty'],
    ['a file that holds a list', '- 1\n', 'must hold an object'],
    ['a file that holds a text', 'text\n', 'must hold an object'],
    [
      'a name that no topic can have',
      'namespaces: {"a:b": {}}',
      'must be named by what precedes the first ":"',
    ],
    [
      'a stream to be refreshed',
      'namespaces: {tick: {refreshMs: 1000}}',
      'namespaces.tick: refreshMs is for the mode state',
    ],
    [
      'limits of a namespace that contradict others',
      'namespaces: {tick: {batchMaxBytes: 1MiB}}',
      'namespaces.tick: batchMaxBytes (1MiB) must be at most backpressureMaxBytes',
    ],
  ])('name %s', (_, text, fault) => {
    expect(faultsOf({ file: fileOf(text) })).toEqual([expect.stringContaining(fault)]);
  });

  test('name a file that is not there', () => {
    expect(faultsOf({ file: join(newFolder(), 'none.yaml') })).toEqual([
      expect.stringContaining('cannot be read'),
    ]);
  });
});

describe('the checks across options', () => {
  test.each(['0.0.0.0', '::', '192.168.1.5', 'gateway.example'])(
    'refuse to bind %s without credentials',
    (host) => {
      expect(faultsOf({ flags: { host } })).toEqual([expect.stringContaining('SLUICE_API_KEYS (--api-key)')]);
      expect(faultsOf({ flags: { host, apiKeys: [apiKey] } })).toEqual([]);
      expect(faultsOf({ flags: { host, tokenSecret } })).toEqual([]);
    },
  );

  test.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost', '::ffff:127.0.0.1'])(
    'let %s be bound without',
    (host) => {
      expect(faultsOf({ flags: { host } })).toEqual([]);
    },
  );

  test.each([
    [{ payloadMaxBytes: '64KiB', frameMaxBytes: '64KiB' }, 'payloadMaxBytes (64KiB) must be less than'],
    [{ bodyMaxBytes: '256KiB' }, 'bodyMaxBytes (256KiB) must be at least frameMaxBytes (512KiB)'],
    [{ payloadMaxBytes: '65KiB' }, 'backpressureMaxBytes (64KiB) must be at least payloadMaxBytes (65KiB)'],
    [{ batchMaxBytes: '65KiB' }, 'batchMaxBytes (65KiB) must be at most backpressureMaxBytes (64KiB)'],
    [
      { backpressureTotalMaxBytes: '63KiB' },
      'backpressureTotalMaxBytes (63KiB) must be at least backpressure',
    ],
    [{ topicHistoryMaxBytes: '32KiB' }, 'topicHistoryMaxBytes (32KiB) must be between'],
    [{ historyMaxBytes: '512KiB' }, 'topicHistoryMaxBytes (1MiB) must be between'],
    [{ adminHost: '192.168.1.5', adminPort: 0 }, 'adminHost 192.168.1.5 can be reached'],
    [
      { redis: ['rediss://127.0.0.1:6379'], redisCertFile: 'a.pem' },
      'redisCertFile and redisKeyFile belong together: give both',
    ],
    [
      { redisCaFile: 'ca.pem' },
      'redisCaFile, redisCertFile and redisKeyFile are for TLS, which only rediss:// speaks',
    ],
  ])('refuse %j', (flags, fault) => {
    expect(faultsOf({ flags })).toEqual([expect.stringContaining(fault)]);
  });

  test('let the connections to Redis trust a CA of their own', () => {
    const flags = { redis: ['rediss://127.0.0.1:6379'], redisCaFile: 'ca.pem' };
    expect(faultsOf({ flags })).toEqual([]);
  });

  test.each([
    ['single', [], 'redis must be one URL, not 0, where redisKind is single'],
    ['single', ['redis://a', 'redis://b/1'], 'redis must be one URL, not 2, where redisKind is single'],
    ['sentinel', ['redis://a', 'redis://b/1'], 'redis must name no database where redisKind is sentinel'],
    ['cluster', ['redis://a/10'], 'redis must name no database where redisKind is cluster'],
  ])('of Redis, by the kind %s: not %j, of which a part would be ignored', (redisKind, redis, fault) => {
    expect(faultsOf({ flags: { redisKind, redis } })).toEqual([expect.stringContaining(fault)]);
  });

  test.each([
    ['single', ['redis://a/10']],
    ['sentinel', ['redis://a/', 'redis://b/0']],
    ['cluster', ['redis://a', 'redis://b']],
  ])('allow the kind %s %j', (redisKind, redis) => {
    expect(faultsOf({ flags: { redisKind, redis } })).toEqual([]);
  });

  test('let a namespace of state be refreshed', () => {
    expect(faultsOf({ file: fileOf('namespaces: {server: {refreshMs: 1000}}') })).toEqual([]);
  });
});

describe('namespaceOptions', () => {
  test('starts from the general options; server and job keep state', () => {
    const config = loadConfig({ flags: { topicHistoryMaxPublications: 7 } });
    expect(namespaceOptions(config, 'stats')).toMatchObject({
      mode: 'stream',
      topicHistoryMaxPublications: 7,
      anonymous: { subscribe: true, publish: false },
    });
    expect(namespaceOptions(config, 'server').mode).toBe('state');
    expect(namespaceOptions(config, 'job').mode).toBe('state');
  });

  test('puts an entry over what is built in, over `default`, over the general options', () => {
    const file = fileOf(`
topicHistoryMaxPublications: 1
topicHistoryMaxAgeSeconds: 10
namespaces:
  default: {topicHistoryMaxAgeSeconds: 20, mode: stream, anonymous: {subscribe: false}}
  server: {topicHistoryMaxAgeSeconds: 30, anonymous: {publish: true}}
  job: {mode: stream}
`);
    const config = loadConfig({ file });
    expect(namespaceOptions(config, 'other')).toMatchObject({
      topicHistoryMaxPublications: 1,
      topicHistoryMaxAgeSeconds: 20,
      anonymous: { subscribe: false, publish: false },
    });
    expect(namespaceOptions(config, 'server')).toMatchObject({
      mode: 'state',
      topicHistoryMaxAgeSeconds: 30,
      anonymous: { subscribe: false, publish: true },
    });
    expect(namespaceOptions(config, 'job')).toMatchObject({ mode: 'stream', topicHistoryMaxAgeSeconds: 20 });
  });

  test.each(['__proto__', 'constructor', 'toString', ''])('takes the name %j for any other', (name) => {
    const config = loadConfig();
    expect(namespaceOptions(config, name)).toBe(config.namespaces.default);
  });
});

describe('describeConfig', () => {
  test('shows sizes with units, and that a secret is set but not which', () => {
    const described = describeConfig(loadConfig({ flags: { apiKeys: [apiKey], tokenSecret } }));
    expect(described).toMatchObject({ topicHistoryMaxBytes: '1MiB', port: 8080, apiKeys: ['********'] });
    expect(JSON.stringify(described)).not.toContain(apiKey);
    expect(JSON.stringify(described)).not.toContain(tokenSecret);
  });
});

describe('anonymous access', () => {
  const subscribes = (sources: ConfigSources) => {
    const config = loadConfig(sources);
    return [admitsAnonymous(config), namespaceOptions(config, 'any').anonymous.subscribe];
  };

  const flags = { apiKeys: [apiKey], tokenSecret };
  const anonymous = fileOf('anonymous: true\n');
  test.each<[is: boolean, string, ConfigSources]>([
    [true, 'without credentials, as only this machine is served then', {}],
    [false, 'with an API key', { flags: { apiKeys: [apiKey] } }],
    [false, 'with a token secret', { flags: { tokenSecret } }],
    [false, 'with a key in the environment', { env: { SLUICE_API_KEYS: apiKey } }],
    [true, 'by flag', { flags: { ...flags, anonymous: true } }],
    [true, 'by the environment', { flags, env: { SLUICE_ANONYMOUS: 'true' } }],
    [true, 'by the file', { flags, file: anonymous }],
    [
      false,
      'where a flag says so and the file does not',
      { flags: { ...flags, anonymous: false }, file: anonymous },
    ],
  ])('is %s %s', (is, _, sources) => {
    expect(subscribes(sources)).toEqual([is, is]);
  });

  test('does not undo what the file says of a namespace', () => {
    const file = fileOf(
      'namespaces: { open: { anonymous: { subscribe: true } }, shut: { anonymous: { subscribe: false } } }\n',
    );
    const of = (anonymous: boolean) => {
      const config = loadConfig({ flags: { apiKeys: [apiKey], anonymous }, file });
      return ['open', 'shut', 'server'].map((name) => namespaceOptions(config, name).anonymous.subscribe);
    };
    expect([of(false), of(true)]).toEqual([
      [true, false, false],
      [true, false, true],
    ]);
  });
});

describe('the summary of who may do what', () => {
  const summary = (flags: ConfigSources['flags'], file?: string) =>
    accessSummary(loadConfig({ flags, file }));

  test('without credentials names this machine, and the trap of a proxy', () => {
    expect(summary({})).toMatch(/requests of this machine itself may do everything.*proxy.*--api-key/);
  });

  test('with credentials says that the others are refused, and how to admit them', () => {
    expect(summary({ apiKeys: [apiKey] })).toBe(
      'Clients without a credential are refused (--anonymous admits them). API keys may do everything.',
    );
    expect(summary({ tokenSecret })).toMatch(/A token reads .*every client that is let in reads nothing/);
    expect(summary({ tokenSecret })).toMatch(/Without API keys, requests of this machine itself may publish/);
  });

  test('names the namespaces that are open, or closed', () => {
    const file = fileOf(
      'namespaces: { news: { anonymous: { subscribe: true } }, hr: { anonymous: { subscribe: false } } }\n',
    );
    expect(summary({ apiKeys: [apiKey], tokenSecret }, file)).toMatch(
      /let in reads the namespaces news, and publishes to nothing/,
    );
    expect(summary({ apiKeys: [apiKey], anonymous: true }, file)).toMatch(
      /without a credential may read everything but hr, and publish to nothing/,
    );
  });

  test('never holds a secret', () => {
    const text = summary({ apiKeys: [apiKey], tokenSecret });
    expect([text.includes(apiKey), text.includes(tokenSecret)]).toEqual([false, false]);
  });
});
