import { expect, test } from 'vitest';
import type { OutFrame, Overlap, Receiver } from '../../../src/fanout/sink.ts';
import { View } from '../../../src/fanout/view.ts';
import { AheadMembers, type PublishingSocket } from '../../../src/transport/uws/ahead-members.ts';
import { viewOptions } from '../../fanout/fixtures.ts';

test('a member that is no longer ahead costs the later frames of its view nothing', () => {
  const view = new View(1, viewOptions('t*'));
  const frame: OutFrame = {
    view,
    bytes: new Uint8Array(1),
    feed: undefined,
    epoch: '',
    after: 0,
    upto: 0,
    publications: 1,
  };
  const answers: Overlap[] = ['all', 'nothing', 'nothing'];
  let asked = 0;
  const receiver = {
    isAheadIn: () => asked < 3,
    overlap: () => answers[asked++],
  } as Partial<Receiver> as Receiver;
  const calls: string[] = [];
  const socket = {
    subscribe: (channel: string) => calls.push(`+${channel}`),
    unsubscribe: (channel: string) => calls.push(`-${channel}`),
  } as unknown as PublishingSocket;
  const ahead = new AheadMembers();
  ahead.joins(view, { socket, receiver });
  for (let frames = 0; frames < 10; frames++) ahead.putBack(view, ahead.leaveOut(frame));
  expect({ asked, calls }).toEqual({ asked: 3, calls: ['-v1', '+v1'] });
});
