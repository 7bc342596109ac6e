import { viewOf } from '../../protocol/binary.ts';
import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { Publication } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import type { ClientCodec } from './codec.ts';
import { Parser, type Raw } from './parse.ts';
import { read } from './read.ts';
import { clientFrame, type Field, fieldsOfKind, serverFrame } from './tables.ts';
import { write } from './write.ts';

/** `sluice.v1.protobuf` as a client needs it: decodes frames of the gateway and encodes commands. */
export const protobufCodec: ClientCodec<Uint8Array> = {
  subprotocol: 'sluice.v1.protobuf',
  encode: ({ kind, id, ...fields }: ClientFrame) => write(clientFrame, { id, [kind]: fields }),
  decode(message) {
    const { id = 0, frame } = parsed(serverFrame, viewOf(message) as Uint8Array);
    const [kind, raw, fields] = frame as [string, Raw, readonly Field[]];
    return { kind, id, ...compressed(read(fields, raw)) } as ServerFrame;
  },
};

/** Decodes a run: a batch that has only publications. Throws if it is malformed. */
export function decodeRun(run: Uint8Array): readonly Publication[] {
  const fields = fieldsOfKind(serverFrame, 'batch');
  return read(fields, parsed(fields, run))['publications'] as readonly Publication[];
}

function parsed(fields: readonly Field[], message: Uint8Array): Raw {
  return new Parser(message).message(fields, {});
}

/** Moves the fields of a batch's compressed body, if it has one, into a member of their own. */
function compressed(fields: Raw): Raw {
  const { deflate, plainBytes, crc32, dictionary, ...batch } = fields;
  if (!deflate) return fields;
  if ((deflate as Uint8Array).length > 0 || crc32)
    batch['compressed'] = { deflate, plainBytes, crc32, dictionary };
  return batch;
}
