import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Channel, encodeBytes, encodeMessage } from '../../src/workers/channel.ts';

const sent = Buffer.concat([
  encodeMessage(['tell', 'ready']),
  encodeBytes(0, 'appended', Buffer.from('one')),
  encodeBytes(7, '', Buffer.alloc(0)),
  encodeMessage({ last: true }),
]);
const heard = [['tell', 'ready'], [0, 'appended', 'one'], [7, '', ''], { last: true }];

function listening() {
  const messages: unknown[] = [];
  const channel = new Channel(duplexPair()[0]);
  const listen = () =>
    channel.listen({
      message: (message) => messages.push(message),
      bytes: (number, name, body) => messages.push([number, name, body.toString()]),
    });
  return { channel, messages, listen };
}

test('messages arrive whole and in order, however their bytes are cut', () => {
  for (let first = 0; first <= sent.length; first++)
    for (let second = first; second <= sent.length; second++) {
      const { channel, messages, listen } = listening();
      listen();
      channel.read(sent.subarray(0, first));
      channel.read(sent.subarray(first, second));
      channel.read(sent.subarray(second));
      expect(messages).toEqual(heard);
    }
});

test('what was read before there is a listener is delivered once there is', () => {
  const { channel, messages, listen } = listening();
  channel.read(sent.subarray(0, 20));
  listen();
  channel.read(sent.subarray(20));
  expect(messages).toEqual(heard);
});
