import { given } from '../protocol/given.ts';
import { parseUrl } from '../url.ts';

/** How to reach a gateway, and how much a publisher may hold. */
export interface PublisherOptions {
  /** The gateway's URL, with the path below which a proxy serves it: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** An API key or token in visible ASCII, or a function that returns it, which is called for each request. */
  readonly credential?: string | (() => string | Promise<string>) | undefined;
  /** Maximum number of unacknowledged publications. Default: 10 000. Further ones are refused with `queue_full`. */
  readonly queueMaxPublications?: number | undefined;
  /**
   * Maximum bytes of unacknowledged publications, as the JSON that is sent. Default: 16 MiB. Further ones are refused
   * with `queue_full`.
   */
  readonly queueMaxBytes?: number | undefined;
  /** Maximum number of publications per request, 1 to 1000. Default: 1000. */
  readonly batchMaxPublications?: number | undefined;
  /** Maximum bytes per request; a larger publication is sent alone. Default: 256 KiB. */
  readonly batchMaxBytes?: number | undefined;
  /** How long a publication is retried, from the call on. At most 240 000; default: 30 000. */
  readonly totalTimeoutMs?: number | undefined;
  /** Timeout of one request. Default: 10 000. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * Gives every publication without a `messageId` a generated one, so that a retry publishes nothing twice. Default:
   * true. The gateway remembers ids for 5 minutes, by default for 2000 publications a second of each publisher. One
   * that sends more needs a larger `messageIdsMaxBytesPerClient` there, or false here.
   */
  readonly messageIds?: boolean | undefined;
  /** Namespace of the topics of `send`, as `admin` for the clients of system C. Default: none. */
  readonly broadcastNamespace?: string | undefined;
  /**
   * Told of each publication that failed, besides its promise. With it, a rejected promise without a handler does not
   * end the process.
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

type NumberName =
  | 'queueMaxPublications'
  | 'queueMaxBytes'
  | 'batchMaxPublications'
  | 'batchMaxBytes'
  | 'totalTimeoutMs'
  | 'requestTimeoutMs';

export type Settings = Required<Pick<PublisherOptions, NumberName | 'messageIds'>> &
  Pick<PublisherOptions, 'credential' | 'broadcastNamespace' | 'onError'> & { readonly url: URL };

/** Less than the 5 minutes for which the gateway remembers a messageId. */
const totalTimeoutMaxMs = 240_000;

const numbers: { readonly [N in NumberName]: { readonly usual: number; readonly max: number } } = {
  queueMaxPublications: { usual: 10_000, max: 10_000_000 },
  queueMaxBytes: { usual: 16 * 2 ** 20, max: 2 ** 40 },
  batchMaxPublications: { usual: 1000, max: 1000 },
  batchMaxBytes: { usual: 256 * 2 ** 10, max: 2 ** 30 },
  totalTimeoutMs: { usual: 30_000, max: totalTimeoutMaxMs },
  requestTimeoutMs: { usual: 10_000, max: totalTimeoutMaxMs },
};

const others = ['url', 'credential', 'messageIds', 'broadcastNamespace', 'onError'];

/** Throws a `TypeError` that names all faults, without the credential. */
export function settingsOf(wanted: PublisherOptions): Settings {
  const options = given(wanted);
  const faults: string[] = [];
  const url = urlOf(options.url, faults);
  const entries = Object.entries(numbers).map(([name, { usual, max }]) => {
    const value = options[name as NumberName] ?? usual;
    if (!Number.isInteger(value) || value < 1 || value > max)
      faults.push(`${name} must be an integer from 1 to ${max}`);
    return [name, value];
  });
  const { credential, messageIds = true, broadcastNamespace, onError } = options;
  if (credential !== undefined && typeof credential !== 'function' && !isCredential(credential))
    faults.push('credential must be a text in visible ASCII, or a function');
  if (typeof messageIds !== 'boolean') faults.push('messageIds must be true or false');
  if (
    broadcastNamespace !== undefined &&
    !(typeof broadcastNamespace === 'string' && /^[\w.-]+$/.test(broadcastNamespace))
  )
    faults.push('broadcastNamespace must be what precedes the first ":" of a topic');
  if (onError !== undefined && typeof onError !== 'function') faults.push('onError must be a function');
  const names = [...Object.keys(numbers), ...others];
  faults.push(
    ...Object.keys(options)
      .filter((name) => !names.includes(name))
      .map((name) => `${name} is no option`),
  );
  if (faults.length > 0) throw new TypeError(`The options of the publisher: ${faults.join('; ')}`);
  return { ...Object.fromEntries(entries), url, credential, messageIds, broadcastNamespace, onError };
}

/** Whether a header can hold it. */
export function isCredential(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]*$/.test(value);
}

function urlOf(text: unknown, faults: string[]): URL {
  const url = typeof text === 'string' ? parseUrl(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    faults.push('url must be the URL of a gateway, as http://127.0.0.1:8080');
  else if (url.username !== '' || url.password !== '')
    faults.push('url must not hold a password: use credential');
  return url ?? new URL('http://invalid');
}
