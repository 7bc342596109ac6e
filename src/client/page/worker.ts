import { SluiceClient } from '../client.ts';
import { ClientError, localError } from '../client-error.ts';
import type { StateChange } from '../connection/connection.ts';
import type { Greeting } from '../connection/socket-session.ts';
import type { ClientOptions } from '../options.ts';
import { platformRuntime } from '../runtime.ts';
import { Host } from './host.ts';
import { type FromHost, live, plain, type ToHost, watchClient } from './messages.ts';

/** Options that can be cloned to a worker. */
export type WorkerOptions = Omit<ClientOptions, 'token' | 'WebSocket' | 'runtime'>;

/** From a page to its worker, besides the messages to any holder. */
export type ToWorker =
  | ToHost
  | {
      readonly kind: 'open';
      readonly url: string;
      readonly options: WorkerOptions;
      readonly hasToken: boolean;
    }
  /** The reply to `token`; absent: there is none. */
  | { readonly kind: 'token'; readonly id: number; readonly token: string | undefined };

export type FromWorker = FromHost | { readonly kind: 'token'; readonly id: number };

/** The scope of a dedicated worker, or a port to one. */
export interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

/** Holds the client of the page that started this worker, whose whole script is `serveWorker(globalThis)`. */
export function serveWorker(scope: WorkerScope): void {
  const tokens = new Map<number, (token: string | undefined) => void>();
  let lastToken = 0;
  const askToken = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const id = ++lastToken;
      tokens.set(id, (token) => {
        if (token === undefined) reject(localError('token_failed'));
        else resolve(token);
      });
      scope.postMessage({ kind: 'token', id } satisfies FromWorker);
    });
  let opened: { readonly client: SluiceClient; readonly host: Host } | undefined;
  scope.onmessage = ({ data }) => {
    const message = data as ToWorker;
    if (message.kind === 'open') opened = hold(message, askToken, (told) => scope.postMessage(plain(told)));
    else if (message.kind === 'token') {
      tokens.get(message.id)?.(message.token);
      tokens.delete(message.id);
    } else opened?.host.receive(message);
    if (message.kind === 'bye') opened?.client.close();
  };
}

function hold(
  { url, options, hasToken }: ToWorker & { kind: 'open' },
  askToken: () => Promise<string>,
  post: (message: FromHost) => void,
): { readonly client: SluiceClient; readonly host: Host } {
  const client = new SluiceClient(url, { ...options, token: hasToken ? askToken : undefined });
  let change: StateChange = { state: 'idle', previous: 'idle', attempts: 0 };
  let greeting: Greeting | undefined;
  watchClient(client, (told) => {
    if (told[0] === 'connect') greeting = told[1];
    if (told[0] === 'disconnect') greeting = undefined;
    if (told[0] === 'state') change = told[1];
    post({ kind: 'told', told });
  });
  return { client, host: new Host(client, platformRuntime(), () => ({ greeting, change }), post) };
}

/** Called by the page: starts the client in the worker. Returns a function that sends it messages. */
export function openWorker(
  worker: WorkerScope,
  opening: { readonly url: string; readonly options: WorkerOptions; readonly token: ClientOptions['token'] },
  receive: (message: FromHost) => void,
): (message: ToHost) => void {
  const { url, options, token } = opening;
  const post = (message: ToWorker): void => worker.postMessage(message);
  worker.onmessage = ({ data }) => {
    const message = data as FromWorker;
    if (message.kind !== 'token') {
      receive(live(message));
      return;
    }
    const { id } = message;
    void Promise.resolve()
      .then(() => (typeof token === 'function' ? token() : token))
      .then(
        (given) => post({ kind: 'token', id, token: given }),
        (cause: unknown) => {
          post({ kind: 'token', id, token: undefined });
          const error = cause instanceof ClientError ? cause : localError('token_failed', undefined, cause);
          receive({ kind: 'told', told: ['error', error] });
        },
      );
  };
  post({ kind: 'open', url, options, hasToken: token !== undefined });
  return post;
}
