import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { routes } from './api/routes.ts';
import { createProgram } from './cli/commands.ts';
import type { CliDeps } from './cli/deps.ts';
import { compatRoutes } from './compat/routes.ts';
import { rows as systemRows, systemTests } from './compat/rows.ts';
import { systemsOf } from './compat/systems.ts';
import { namespaceSentences } from './config/namespaces.ts';
import { options, reloadable } from './config.ts';
import { dashboardPath, dashboardText } from './docs/dashboard.ts';
import { errorNumbersModule, errorNumbersPath } from './docs/error-numbers.ts';
import { limitsPath, limitsText } from './docs/limits.ts';
import { type Cell, code, table } from './docs/table.ts';
import { closeTable, errorTable } from './errors.ts';
import { metricRows } from './metrics.ts';
import { aliasesIn } from './protocol/json/aliases.ts';
import { commandTable } from './sessions/commands/command-table.ts';

/** A reference page, generated from a table and kept beside it. */
export interface DocsPage {
  /** Relative to the repository. */
  readonly path: string;
  readonly title: string;
  readonly sections: () => readonly string[];
}

const yes = (value: boolean) => (value ? 'yes' : 'no');

/** The program is only described, so nothing of these is called. */
const unusedDeps = { env: {} } as CliDeps;

function commandLineRows(): string[][] {
  return createProgram(unusedDeps).commands.map((command) => {
    const usage = command.registeredArguments.map((each) =>
      each.required ? `<${each.name()}>` : `[${each.name()}]`,
    );
    return [code(['sluice', command.name(), ...usage].join(' ')), command.description()];
  });
}

function optionRows(): string[][] {
  return options.map(({ name, defaultText, flag, env, sentence }) => [
    code(name),
    defaultText,
    code(flag),
    code(env),
    sentence,
  ]);
}

function namespaceRows(): string[][] {
  return namespaceSentences.map(([name, defaultText, sentence]) => [code(name), defaultText, sentence]);
}

function metricCells(): string[][] {
  return metricRows.map(({ name, type, labels, help }) => [
    code(name),
    type,
    labels.map(code).join(', '),
    help,
  ]);
}

function errorRows(): Cell[][] {
  return Object.entries(errorTable).map(([name, { number, http, retry, auth = '', summary }]) => [
    code(name),
    number,
    http,
    yes(retry),
    auth,
    summary,
  ]);
}

function closeRows(): Cell[][] {
  return Object.entries(closeTable).map(([name, { number, retry, summary }]) => [
    number,
    code(name),
    yes(retry),
    summary,
  ]);
}

function routeRows(): string[][] {
  return routes.map(({ method, path, access, byToken, summary }) => [
    code(`${method} ${path}`),
    access === 'none' ? '' : `${access}${byToken ? ', or a token' : ''}`,
    summary,
  ]);
}

const noStats = () => {
  throw new Error('the routes are only described');
};

/** The messages of each system are those of its wire, made only to be described. */
function systemSections(): string[] {
  const systems = systemsOf({ compat: ['a', 'b', 'c', 'd', 'e'], compatNamespaces: [] });
  const rows = systems.map(({ name, title, namespace, paths, wire }) => [
    code(name),
    title,
    code(`${namespace}:`),
    paths.map(code).join(', '),
    Object.keys(wire({ namespace, now: () => '' }).commands)
      .map(code)
      .join(', '),
  ]);
  const routes = compatRoutes(systems, { stats: noStats, isRunning: () => true });
  return [
    'Systems that Sluice replaces. With `--compat a,b,c,d,e` their clients and backends run unmodified on the paths below; ' +
      'all other paths, and those of the gateway itself, stay what they are. `--compat-namespace b=prices` changes the ' +
      'namespace of a system’s topics, `--compat-port` gives system b a port of its own.',
    table(['system', 'what it was', 'topics', 'WebSocket', 'a client sends'], rows),
    'What a message holds is in the file of each system beside this page. Servers, symbols, rooms and jobs are parts of ' +
      'names of topics, and have their characters: A-Z a-z 0-9 _ - . : / @ %; users may have any. A client of these systems needs its token in ' +
      '`?token=`, and gets what the token allows. An invalid message gets the system’s `error`; a subscription that ' +
      'is granted, and the end of one, are confirmed by system c only. The gateway catches a slow one up like any other; what is lost is told ' +
      'by an `error` with the code `messages_lost`. A client may send a `pong`, which has no reply. ' +
      'A notification of system d counts as received a second or two after it was sent: a page that is left sooner is sent it again. ' +
      'In system a a subscription to all servers takes the place of those to single ones, and the other way round. It begins with the newest ' +
      'values of each server, which `refreshMs` sends again: also the newest `status_change`, with the timestamp that it had. ' +
      'Systems a, b and d have broadcasts: what is published to ' +
      '`compat:a`, `compat:b` or `compat:d` goes to all clients of that system.',
    table(
      ['route', 'needs', 'what it does'],
      routes.map(({ method, path, access, byToken, summary }) => [
        code(`${method} ${path}`),
        `${access}${byToken ? ', or a token' : ''}`,
        summary,
      ]),
    ),
    'Clients get as `data` what the body of a request has as `data`, byte for byte. Members beside an object `data` are ' +
      'added to it, except those that name the type, the time or the receivers. A body without `data`, or with such members ' +
      'beside a `data` that is no object, is the `data` itself; then system d has the type `notification`, ' +
      '`sync_update` or `system_message` also where the body has a type of its own. A `timestamp` in RFC 3339 is kept, ' +
      'except one before 1970. `recipients` in a response counts subscriptions, also those whose filter excludes the message: a ' +
      'client of all servers counts once for each server that a broadcast names, as it gets one message for each.',
    'What exceeds a limit that these systems did not have is refused, and their clients do not try again. Raise ' +
      '`subscriptionsPerSession` first where a client has more than 100 symbols, servers, rooms or jobs; `commandsPerSecond` ' +
      'where it sends more than 100 messages at once, as one per symbol when it connects; `connectionsMaxPerUser` where a ' +
      'user has more than 20 connections; `viewsPerTopic` where clients of system a have more than 64 different filters of ' +
      'a server, or one user or address more than a quarter of that; `payloadMaxBytes` where `data` is larger than 64 KiB ' +
      '(a body has at most 256 KiB).',
    'On `/ws` the JSON codec takes these names beside its own: ' +
      `${Object.keys(aliasesIn({ rooms: 'room', jobs: 'job' }))
        .map(code)
        .join(', ')}. \`get_status\` and \`stats\` are answered as systems b and d did.`,
    'Settings there, and the options here:',
    table(
      ['setting', 'system', 'option'],
      environmentNames.map(([name, system, option]) => [code(name), system, option]),
    ),
    'What each system did. Tests of the row A1 on a real gateway, for one, have titles that begin with `A1`, in the file of ' +
      `their system below \`test/systems/\` (${Object.values(systemTests).map(code).join(', ')}); other tests are named here:`,
    table(['', 'what it did', 'also tested by (below `test/`)'], systemRowCells()),
  ];
}

function systemRowCells(): string[][] {
  return systemRows.map(({ row, does, elsewhere }) => [
    row.toUpperCase(),
    does,
    elsewhere.map(([file, title]) => `${code(file)}: ${title}`).join('; '),
  ]);
}

const environmentNames = [
  ['WEBSOCKET_HEARTBEAT_INTERVAL', 'a', '`idleTimeoutSeconds`: the gateway pings earlier'],
  ['WEBSOCKET_CONNECTION_TIMEOUT', 'a', '`idleTimeoutSeconds`'],
  ['WEBSOCKET_MAX_CONNECTIONS', 'a', '`connectionsMax`'],
  ['WEBSOCKET_MAX_CONNECTIONS_PER_IP', 'a', '`connectionsMaxPerIp`'],
  [
    'WEBSOCKET_PUSH_INTERVAL',
    'a',
    '`refreshMs` of the namespace `server`, in milliseconds: 30000 for every 30 s',
  ],
  ['WEBSOCKET_ENABLED', 'e', '`compat` names e, or not'],
  ['WEBSOCKET_PORT', 'e', '`port`'],
  ['WEBSOCKET_CORS_ORIGINS', 'e', '`origins`'],
  ['websocketUrl', 'front end of e', 'the first argument of `SluiceClient`'],
  ['enableWebSocket', 'front end of e', 'the same of `SluiceClient`'],
  ['fallbackPollingInterval', 'front end of e', 'the same of `SluiceClient`, in milliseconds'],
  ['maxReconnectAttempts', 'front end of e', 'the same of `SluiceClient`'],
] as const;

export const pages: readonly DocsPage[] = [
  {
    path: 'src/config/OPTIONS.md',
    title: 'Options',
    sections: () => [
      'Each is a flag, an environment variable and a key of the file that `--config` names, in this order of precedence. ' +
        '`sluice check-config` prints what they resolve to.',
      table(['option', 'default', 'flag', 'variable', 'what it does'], optionRows()),
      '## Namespaces',
      'Topics whose names begin with the same text before the first `:` share options, which the key `namespaces` of the ' +
        'file sets: `namespaces: {server: {refreshMs: 30000}, default: {mode: stream}}`. `default` is for all others.',
      table(['option', 'default', 'what it does'], namespaceRows()),
      '## Reload',
      'At `SIGHUP` the gateway reads its file and variables again and takes the namespaces and these options: ' +
        `${reloadable.map((name) => `\`${name}\``).join(', ')}. It also loads the certificate and the public keys ` +
        'of tokens again. The log says what changed and what needs a restart. A configuration with faults changes nothing, ' +
        'nor does one without a credential where there was one; the log says why.',
      'Sessions of a key that is gone or has other rights end with 4501, and so do anonymous ones once they are not ' +
        'admitted; subscriptions that are no longer allowed end. Sessions with a token stay until it expires, whatever ' +
        'secret it was signed with: `POST /api/tokens/revoke` ends them. Connections above a new limit stay. A namespace takes ' +
        'its options at once, except `mode`, `refreshMs` and `refresh`, which need a restart; a new namespace is for topics made ' +
        'from then on. Hooks begin, end and move to other URLs; whether there are events needs a restart. At a terminal `SIGHUP` ends the gateway, as the terminal is gone.',
    ],
  },
  {
    path: 'src/cli/COMMANDS.md',
    title: 'Command line',
    sections: () => [
      table(['command', 'what it does'], commandLineRows()),
      'Each takes `--help`. The flags of `serve` and `check-config` are the [options](../config/OPTIONS.md).',
    ],
  },
  {
    path: 'src/sessions/COMMANDS.md',
    title: 'Protocol commands',
    sections: () => [
      'What a client may send over a WebSocket. Fields, replies and pushes: [gateway.proto](../../proto/gateway.proto).',
      table(
        ['command', 'what it does'],
        Object.entries(commandTable).map(([name, { summary }]) => [code(name), summary]),
      ),
    ],
  },
  {
    path: 'src/api/ROUTES.md',
    title: 'Routes',
    sections: () => [
      '`GET /openapi.json` describes them in full. `needs` is the scope of the API key; a token is enough where it says so.',
      table(['route', 'needs', 'what it does'], routeRows()),
      'Besides these, `GET /ws` is the WebSocket; `/ws/{topic}` and `/ws/monitoring/{server}` subscribe at once. Without ' +
        'an upgrade they say whether a client may connect, and if not, why.',
      'Each response has an `X-Request-Id`. Lines of the log about the request have the same (`request`), and so have ' +
        'the `details` of the error `internal`. A `--trusted-proxy` may give it, with up to 128 letters, digits and ' +
        '`.~+/=:@_-`; it should overwrite what clients send. All other requests get one of the gateway’s own.',
    ],
  },
  {
    path: 'src/compat/SYSTEMS.md',
    title: 'Older systems',
    sections: systemSections,
  },
  {
    path: 'src/metrics/METRICS.md',
    title: 'Metrics',
    sections: () => [
      '`GET /metrics` in the text format of Prometheus; `grafana/dashboard.json` shows them. Besides these it has the ' +
        '`process_…` and `nodejs_…` metrics of prom-client.',
      table(['metric', 'type', 'labels', 'what it says'], metricCells()),
    ],
  },
  {
    path: 'src/ERRORS.md',
    title: 'Errors and close codes',
    sections: () => [
      'A client may rely on code, number and retry; messages are for people. `auth` marks faults of authentication, which ' +
        'are logged and counted as such: of the credential itself, or of what it may do from here.',
      table(['code', 'number', 'HTTP', 'retry', 'auth', 'when'], errorRows()),
      'A connection that the gateway closes has one of these codes. 4000 to 4499 mean that the client may reconnect.',
      table(['close code', 'name', 'reconnect', 'when'], closeRows()),
    ],
  },
];

export function render({ path, title, sections }: DocsPage): string {
  const generator = relative(dirname(path), 'src/docs.ts');
  const note = `<!-- Generated by \`npm run docs\` (${generator}). -->`;
  return `${[`# ${title}`, note, ...sections()].join('\n\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const urlOf = (path: string) => new URL(`../${path}`, import.meta.url);
  const write = (path: string, text: string) => writeFileSync(urlOf(path), text);
  for (const page of pages) write(page.path, render(page));
  write(limitsPath, limitsText(readFileSync(urlOf(limitsPath), 'utf8')));
  write(errorNumbersPath, errorNumbersModule());
  write(dashboardPath, dashboardText());
}
