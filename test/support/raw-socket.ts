import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A plain TCP connection: sends any bytes, and can end without a close frame. */
export class RawSocket {
  readonly socket: Socket;
  ended = false;
  /** Joined when they are looked at: a test may receive megabytes without looking. */
  #received: Buffer[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(port: number, localAddress?: string) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    this.socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#wake();
    });
    this.socket.on('close', () => {
      this.ended = true;
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  static async open(port: number, localAddress?: string): Promise<RawSocket> {
    const raw = new RawSocket(port, localAddress);
    await once(raw.socket, 'connect');
    return raw;
  }

  /** Opened as a WebSocket, with its greeting read. */
  static async webSocket(port: number, protocol?: string, path = '/ws'): Promise<RawSocket> {
    const raw = await RawSocket.open(port);
    raw.send(upgradeRequest({ protocol, path }));
    await raw.until((text) => text.includes('\r\n\r\n'));
    await raw.until((text) => text.length > text.indexOf('\r\n\r\n') + 4);
    return raw;
  }

  /** All that was received, one character per byte. */
  get text(): string {
    if (this.#received.length > 1) this.#received = [Buffer.concat(this.#received)];
    return this.#received[0]?.toString('latin1') ?? '';
  }

  /** Resolves once the kernel has it. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  async until(isSo: (text: string) => boolean): Promise<string> {
    while (!isSo(this.text)) {
      if (this.ended) throw new Error(`the connection ended after ${JSON.stringify(this.text)}`);
      await this.#change();
    }
    return this.text;
  }

  /** The HTTP response that begins at `from`, once it is complete by its content-length. */
  async answer(
    from = 0,
  ): Promise<{ status: number; headers: Map<string, string>; body: string; end: number }> {
    const text = await this.until((all) => all.indexOf('\r\n\r\n', from) >= 0);
    const headEnd = text.indexOf('\r\n\r\n', from);
    const [statusLine = '', ...lines] = text.slice(from, headEnd).split('\r\n');
    const headers = new Map(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    );
    const end = headEnd + 4 + Number(headers.get('content-length') ?? 0);
    const whole = await this.until((all) => all.length >= end);
    return { status: Number(statusLine.split(' ')[1]), headers, body: whole.slice(headEnd + 4, end), end };
  }

  /** Resolves when the peer has ended the connection. */
  async end(): Promise<void> {
    while (!this.ended) await this.#change();
  }

  /** Ends with a reset. */
  kill(): void {
    this.socket.resetAndDestroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export function upgradeRequest({
  protocol,
  path = '/ws',
  headers = [],
}: {
  readonly protocol?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
} = {}): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...headers,
    '\r\n',
  ].join('\r\n');
}

/** `POST /api/publish`, to be sent as it is. */
export function publishRequest(body: string): string {
  return [
    'POST /api/publish HTTP/1.1',
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** A frame as a client sends it: RFC 6455, section 5.2. The mask is zero, so the payload is unchanged. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array,
  { fin = true, masked = true, reserved = 0 }: { fin?: boolean; masked?: boolean; reserved?: number } = {},
): Buffer {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, ...(masked ? [Buffer.alloc(4)] : []), payload]);
}
