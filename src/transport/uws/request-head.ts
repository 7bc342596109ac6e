import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { RequestHead } from '../../api/http.ts';
import type { RequestIds } from '../request-ids.ts';

/** See `RequestFacts.peerAddress`. */
const gonePeer = 'gone';

/** What an app listens on. */
export type SocketKind = 'tcp' | 'unix';

/** The library knows no address of the peer of a unix socket, nor of one that has reset its connection. */
export function peerAddressOf(response: HttpResponse, kind: SocketKind): string {
  const bytes = response.getRemoteAddress();
  if (bytes.byteLength === ipv4Bytes) return ipv4Text(new DataView(bytes).getInt32(0));
  const address = Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
  return address === '' && kind === 'tcp' ? gonePeer : address;
}

const ipv4Bytes = 4;

/** The last address and its text: behind a proxy all connections have the same one. */
let lastIpv4 = 0;
let lastIpv4Text = '0.0.0.0';

/** As the library has it, and made faster: each connection and each request without a key asks (`bench -- storm`). */
function ipv4Text(address: number): string {
  if (address !== lastIpv4) {
    lastIpv4 = address;
    lastIpv4Text = [address >>> 24, (address >> 16) & 255, (address >> 8) & 255, address & 255].join('.');
  }
  return lastIpv4Text;
}

/** A request's head, read from uWebSockets.js while the handler runs; both objects are dead after it. */
export class UwsRequestHead implements RequestHead {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  private readonly response: HttpResponse;
  private readonly request: HttpRequest;
  private readonly kind: SocketKind;
  private peer: string | undefined;
  /** All header lines, in their order, once they were asked for. */
  private lines: { readonly names: readonly string[]; readonly values: readonly string[] } | undefined;

  constructor(response: HttpResponse, request: HttpRequest, kind: SocketKind, ids: RequestIds) {
    this.method = request.getCaseSensitiveMethod();
    this.path = request.getUrl();
    this.response = response;
    this.request = request;
    this.kind = kind;
    this.requestId = ids.of(this);
  }

  /** A getter, as are others, because few callers need it and the call is costly. */
  get peerAddress(): string {
    this.peer ??= peerAddressOf(this.response, this.kind);
    return this.peer;
  }

  get query(): string {
    return this.request.getQuery() ?? '';
  }

  /**
   * The address of a PROXY header (version 2) comes after those of the request's own headers. The library accepts that
   * header from anybody; the caller decides whether to believe the peer.
   */
  get forwardedFor(): string {
    const lines = this.headerLines('x-forwarded-for');
    const proxied = this.proxiedAddress;
    if (proxied === '') return lines;
    return lines === '' ? proxied : `${lines},${proxied}`;
  }

  /** Empty: the connection has no PROXY header. */
  get proxiedAddress(): string {
    const address = this.response.getProxiedRemoteAddressAsText();
    return address.byteLength === 0 ? '' : Buffer.from(address).toString('latin1');
  }

  header(name: string): string {
    if (this.lines === undefined) return this.request.getHeader(name);
    const at = this.lines.names.indexOf(name);
    return at < 0 ? '' : (this.lines.values[at] as string);
  }

  /** `getHeader` knows the first line only, and a proxy may have added its own below one that the client made up. */
  headerLines(name: string): string {
    const { names, values } = this.allLines();
    let lines: string | undefined;
    for (let at = 0; at < names.length; at++) {
      if (names[at] === name) lines = lines === undefined ? values[at] : `${lines},${values[at]}`;
    }
    return lines ?? '';
  }

  headerNames(): readonly string[] {
    return this.allLines().names;
  }

  /** Called once per request: each line is a call from native code, and those of a browser take 30 µs together. */
  private allLines(): { readonly names: readonly string[]; readonly values: readonly string[] } {
    if (this.lines !== undefined) return this.lines;
    const names: string[] = [];
    const values: string[] = [];
    this.request.forEach((name, value) => {
      names.push(name);
      values.push(value);
    });
    this.lines = { names, values };
    return this.lines;
  }
}
