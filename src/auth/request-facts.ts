/** The parts of a request by which it is let in or refused. */
export interface RequestFacts {
  /** For the log. Absent: it has none. */
  readonly requestId?: string;
  /** Upper case. */
  readonly method: string;
  /**
   * The address of the socket's other end, whatever any header says. Empty: that of a unix socket. A text that
   * is not an address: the peer has reset the connection, and its address is not known any more.
   */
  readonly peerAddress: string;
  /** All lines of `X-Forwarded-For`, joined by commas. */
  readonly forwardedFor?: string;
  /** `name` in lower case; empty when absent. */
  header(name: string): string;
  /** All lines of the header, in order, joined by commas: `header` returns the first one. Empty when absent. */
  headerLines(name: string): string;
  /** In lower case. */
  headerNames(): Iterable<string>;
}
