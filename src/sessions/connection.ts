import type { CloseCode } from '../errors.ts';
import type { Member } from '../fanout/sink.ts';
import type { GatewayCodec } from '../protocol/codec.ts';

/**
 * The wire under a session. Consumer: the session; each transport implements it, and tells what becomes of it: see
 * `Lifecycle`.
 *
 * No method is called from inside the transport's own callbacks about dropped messages. All may be called after the
 * connection is gone, and then send nothing.
 */
export interface Connection extends Member {
  readonly codec: GatewayCodec;
  /**
   * How it is known what its client has had: the transport reports by `Sessions.received` what has arrived, or the
   * client says so by requests (`Sessions.acknowledge`). Absent: it does by commands, or what was sent counts once it
   * has left this process.
   */
  readonly acknowledges?: 'by receipt' | 'by request' | undefined;
  /** False: its client passes over nothing that it has had. Absent: as it is with the codec. */
  readonly comparesOffsets?: false;
  /**
   * Its client gets publications only once the transport has called `SessionViews.unpark`: before, no cursor covers all
   * that it subscribes to, and without one publications may come again.
   */
  readonly beginsParked?: true;
  /** Catch-up and large replies wait while more than this is buffered. Absent: a quarter of what it may buffer. */
  readonly roomBytes?: number | undefined;
  /**
   * Sends one message to this peer alone, and counts its bytes in `sentBytesTotal`. `dropped`: the connection's buffer
   * is full, nothing was sent or counted. Once the connection is gone it is `sent`, as nothing is to be sent again.
   */
  send(message: Uint8Array): 'sent' | 'dropped';
  /** Calls `run` once, at once, also when the connection is gone. What it sends leaves in as few writes as possible. */
  cork(run: () => void): void;
  /**
   * The session was caught up as far as there was room or time: it lacks nothing more, or goes on later. Absent: the
   * transport waits for neither.
   */
  caughtUp?(): void;
  /**
   * Its client is sent nothing more of its subscriptions, and the cursor that it is sent at the end is what it would be
   * now. Absent: it is sent none.
   */
  holdCursor?(): void;
  /** Bytes that were sent and have not left this process; 0 once the connection is gone. */
  bufferedBytes(): number;
  /** Ends the connection in order: the peer sees the code, if it still reads. */
  end(code: CloseCode): void;
  /** Ends the connection at once; the peer sees 1006. */
  terminate(): void;
}
