import type { Codec } from './codec.ts';
import { jsonCodec } from './json/codec.ts';
import { protobufCodec } from './protobuf/codec.ts';

export const codecs: Readonly<Record<Codec['name'], Codec>> = { protobuf: protobufCodec, json: jsonCodec };

const bySubprotocol: ReadonlyMap<string, Codec> = new Map(
  Object.values(codecs).map((codec) => [codec.subprotocol, codec]),
);

/**
 * The codec of a WebSocket handshake by its `Sec-WebSocket-Protocol`: the first one offered that the gateway knows;
 * JSON where none is offered; undefined where only unknown ones are (error `unknown_subprotocol`).
 */
export function negotiate(offered: string | undefined): Codec | undefined {
  const only = bySubprotocol.get(offered ?? '');
  if (only !== undefined) return only;
  const names = (offered ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) return codecs.json;
  for (const name of names) {
    const codec = bySubprotocol.get(name);
    if (codec !== undefined) return codec;
  }
  return undefined;
}
