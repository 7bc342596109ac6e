import { viewOf } from '../../protocol/binary.ts';
import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { Publication } from '../../protocol/frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';
import type { ClientCodec } from './codec.ts';
import { Parser, type Raw } from './parse.ts';
import { read } from './read.ts';
import { clientFrame, type Field, serverFrame } from './tables.ts';
import { Writer } from './write.ts';

/** `sluice.v1.protobuf`, as far as a client needs it: reads frames of the gateway and writes commands. */
export const protobufCodec: ClientCodec<Uint8Array> = {
  subprotocol: 'sluice.v1.protobuf',
  encode: ({ kind, id, ...fields }: ClientFrame) =>
    new Writer().message(clientFrame, { id, [kind]: fields }).written(),
  decode(message) {
    const parser = new Parser(viewOf(message) ?? new Uint8Array());
    const raw = parser.message(serverFrame, {});
    const { kind } = parser;
    if (kind === undefined) throw new RangeError('unknown frame');
    const [, fields] = kindField(kind);
    const { id = 0 } = raw;
    return { kind, id, ...compressed(read(fields, raw[kind] as Raw)) } as ServerFrame;
  },
};

function kindField(kind: string): readonly [Field, readonly Field[]] {
  const field = serverFrame.find(({ name }) => name === kind) as Field;
  return [field, field.fields as readonly Field[]];
}

/** The publications of a run: a batch of nothing else. Throws where it is none. */
export function decodeRun(run: Uint8Array): readonly Publication[] {
  const [, fields] = kindField('batch');
  const { publications } = read(fields, new Parser(run).message(fields, {}, 1));
  return publications as readonly Publication[];
}

/** Moves the fields of a compressed body, where the batch has one, into a member of their own. */
function compressed(fields: Raw): Raw {
  if (!('deflate' in fields)) return fields;
  const { deflate, plainBytes, crc32, dictionary, ...batch } = fields;
  if ((deflate as Uint8Array).length > 0 || crc32)
    batch['compressed'] = { deflate, plainBytes, crc32, dictionary };
  return batch;
}
