import type { CloseCode } from '../errors.ts';
import type { Member } from '../fanout/sink.ts';
import type { Codec } from '../protocol/codec.ts';

/**
 * The wire under a session. Consumer: the session; each transport implements it.
 *
 * No method is called from inside the transport's own callbacks about dropped messages.
 */
export interface Connection extends Member {
  readonly codec: Codec;
  /** `dropped`: the connection's buffer is full, nothing was sent. */
  send(message: Uint8Array): 'sent' | 'dropped';
  /** What `run` sends leaves in as few writes as possible. */
  cork(run: () => void): void;
  /** Bytes that were sent and have not left this process. */
  bufferedBytes(): number;
  /** Ends the connection in order: the peer sees the code, if it still reads. */
  end(code: CloseCode): void;
  /** Ends the connection at once; the peer sees 1006. */
  terminate(): void;
}
