import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { RequestHead } from '../../api/http.ts';
import type { RequestIds } from '../request-ids.ts';

/** A request's head, read from uWebSockets.js while the handler runs; both objects are dead after it. */
export function requestHead(response: HttpResponse, request: HttpRequest, ids: RequestIds): UwsRequestHead {
  return new UwsRequestHead(response, request, ids);
}

class UwsRequestHead implements RequestHead {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  private readonly response: HttpResponse;
  private readonly request: HttpRequest;
  private peer: string | undefined;
  private lines: ReadonlyMap<string, string> | undefined;

  constructor(response: HttpResponse, request: HttpRequest, ids: RequestIds) {
    this.method = request.getCaseSensitiveMethod();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    this.response = response;
    this.request = request;
    this.requestId = ids.of(this);
  }

  /** A getter, because few callers need it and the call is costly. */
  get peerAddress(): string {
    this.peer ??= Buffer.from(this.response.getRemoteAddressAsText()).toString('latin1');
    return this.peer;
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
    return Buffer.from(this.response.getProxiedRemoteAddressAsText()).toString('latin1');
  }

  header(name: string): string {
    return this.request.getHeader(name);
  }

  /** `getHeader` knows the first line only, and a proxy may have added its own below one that the client made up. */
  headerLines(name: string): string {
    this.lines ??= this.allLines();
    return this.lines.get(name) ?? '';
  }

  /** Collected once per request: each header is a call from native code, and together they take 30 µs. */
  private allLines(): ReadonlyMap<string, string> {
    const lines = new Map<string, string>();
    this.request.forEach((name, value) => {
      const before = lines.get(name);
      lines.set(name, before === undefined ? value : `${before},${value}`);
    });
    return lines;
  }

  headerNames(): readonly string[] {
    const names: string[] = [];
    this.request.forEach((name) => {
      names.push(name);
    });
    return names;
  }
}
