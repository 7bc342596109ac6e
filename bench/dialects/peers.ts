import { stampOf } from '../support/payload.ts';
import { opcodes } from '../support/raw-client.ts';
import type { Dialect } from './dialect.ts';

/** Messages of `messageBytes` each, one or many to a frame; subscribed by connecting; answered by `ready`. */
export function rawDialect(messageBytes: number): Dialect {
  const ready = 'ready';
  return {
    countingBytes: ready.length,
    open: () => [],
    isReply: (bytes, start, end) => bytes.toString('latin1', start, end) === ready,
    covered: (_bytes, _start, _end, length) =>
      length % messageBytes === 0 ? length / messageBytes : undefined,
    reader: () => (message) => {
      const stamps: number[] = [];
      for (let at = 0; at + messageBytes <= message.length; at += messageBytes)
        stamps.push(stampOf(message, at));
      return stamps;
    },
  };
}

// What engine.io and socket.io put before each message: connect and its answer, and an event with its name.
const connect = '40';
const update = '42["update",';
const [ping, pong] = [Buffer.from('2'), Buffer.from('3')];

/** An event a message; subscribed by connecting. */
export const socketIoDialect: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  countingBytes: connect.length,
  open: () => [{ opcode: opcodes.text, payload: Buffer.from(connect) }],
  isReply: (bytes, start) => bytes.toString('latin1', start, start + connect.length) === connect,
  covered: (bytes, start) => (bytes.toString('latin1', start, start + 2) === '42' ? 1 : undefined),
  reader: () => (message) =>
    message.toString('latin1', 0, update.length) === update ? [stampOf(message, update.length)] : [],
  answer: (bytes, start, end) =>
    end - start === 1 && bytes[start] === ping[0] ? { opcode: opcodes.text, payload: pong } : undefined,
};
