import { expect, it } from 'vitest';
import { Emitter } from '../../src/client/emitter.ts';

it('calls no listener that was added before it was cleared', () => {
  const faults: unknown[] = [];
  const emitter = new Emitter<{ note: [text: string] }>((fault) => faults.push(fault));
  const told: string[] = [];
  emitter.on('note', (text) => told.push(`first ${text}`));
  emitter.clear();
  expect(emitter.emit('note', 'a')).toBe(false);
  emitter.on('note', (text) => told.push(`second ${text}`));
  expect(emitter.emit('note', 'b')).toBe(true);
  expect([told, faults]).toEqual([['second b'], []]);
});
