import type { Client } from '../client.ts';
import { ClientError } from '../client-error.ts';
import type { Emitter } from '../emitter.ts';
import type { ClientEvents } from '../events.ts';
import { liveChange, type PlainClientEvent, plainChange, plainError } from './messages.ts';

/** Calls `tell` with every event of the client, as plain data. Returns a function to stop. */
export function watchClient(client: Client, tell: (told: PlainClientEvent) => void): () => void {
  const stops = [
    client.on('connect', (greeting) => tell({ event: 'connect', greeting })),
    client.on('disconnect', (closed) => tell({ event: 'disconnect', closed })),
    client.on('error', (error) => tell({ event: 'error', error: plainError(error) })),
    client.on('state', (change) => tell({ event: 'state', change: plainChange(change) })),
    client.on('roundTrip', (milliseconds) => tell({ event: 'roundTrip', milliseconds })),
    client.on('degraded', (degraded) => tell({ event: 'degraded', degraded })),
    client.on('message', (message) => tell({ event: 'message', message })),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Emits the event in this page. Returns whether there was a listener. */
export function emitTold(events: Emitter<ClientEvents>, told: PlainClientEvent): boolean {
  switch (told.event) {
    case 'connect':
      return events.emit('connect', told.greeting);
    case 'disconnect':
      return events.emit('disconnect', told.closed);
    case 'error':
      return events.emit('error', new ClientError(told.error));
    case 'state':
      return events.emit('state', liveChange(told.change));
    case 'roundTrip':
      return events.emit('roundTrip', told.milliseconds);
    case 'degraded':
      return events.emit('degraded', told.degraded);
    case 'message':
      return events.emit('message', told.message);
  }
}
