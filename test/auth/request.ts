import type { RequestFacts } from '../../src/auth/request-facts.ts';

interface RequestOptions {
  readonly method?: string;
  readonly peerAddress?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request of a local program, unless the options say otherwise. */
export function request({
  method = 'GET',
  peerAddress = '127.0.0.1',
  headers = {},
}: RequestOptions = {}): RequestFacts {
  const all: Readonly<Record<string, string>> = { host: 'localhost:8080', ...headers };
  return {
    method,
    peerAddress,
    header: (name) => all[name] ?? '',
    headerLines: (name) => all[name] ?? '',
    headerNames: () => Object.keys(all),
  };
}
