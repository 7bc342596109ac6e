import type { Dialect } from './dialect.ts';
import { gatewayDialects } from './gateway.ts';
import { rawDialect, socketIoDialect } from './peers.ts';

export type DialectName = 'protobuf' | 'json' | 'sse' | 'raw' | 'socket.io';

export function dialectOf(name: DialectName, messageBytes: number): Dialect {
  if (name === 'raw') return rawDialect(messageBytes);
  return name === 'socket.io' ? socketIoDialect : gatewayDialects[name];
}
