import { setTimeout } from 'node:timers/promises';
import WebSocket from 'ws';
import { join, type Target } from './sockets.ts';

/** Paths of older systems, and what is sent there. */
function oldMessages(): readonly (readonly [path: string, messages: readonly string[]])[] {
  const many = (prefix: string) => Array.from({ length: 1000 }, (_, i) => `${prefix}${i}`);
  const say = (type: string, more: object) => JSON.stringify({ type, ...more });
  const servers = { server_ids: many('s'), monitoring_types: many('t'), alert_levels: many('l') };
  const giant = 'x'.repeat(1_000_000);
  return [
    ['/api/v1/websocket/ws', [say('subscribe', { data: servers }), say('unsubscribe', { data: servers })]],
    ['/api/v1/websocket/ws', many('t').map((type) => say('subscribe', { data: { monitoring_types: type } }))],
    ['/api/v1/websocket/ws', [say('subscribe', { data: { server_ids: giant } })]],
    ['/market/ws', many('S').map((symbol) => say('subscribe', { symbol }))],
    ['/api/v1/ws/poor', many('r').flatMap((room) => [say('room_subscribe', { room }), say('stats', {})])],
    ['/', many('j').flatMap((job_id) => [say('join_job', { job_id }), say('leave_job', { job_id })])],
  ];
}

/** Sends what clients of older systems may, for 3 s. A client that is ended is replaced. */
export async function floodOldSystems(target: Target): Promise<void> {
  const endMs = performance.now() + 3000;
  const kinds = oldMessages();
  const one = async (index: number): Promise<void> => {
    const [path, messages] = kinds[index % kinds.length]!;
    while (performance.now() < endMs) {
      const socket = await join(target, [], path);
      while (performance.now() < endMs && socket.readyState === WebSocket.OPEN) {
        for (const message of messages) if (socket.bufferedAmount < 4_000_000) socket.send(message);
        await setTimeout(1);
      }
      await setTimeout(20);
    }
  };
  await Promise.all(Array.from({ length: 40 }, (_, index) => one(index)));
}
