import { type Commands, commandReaders } from './commands.ts';
import { type Bounds, type Decoded, type Dialect, type Fault, Fields, type Raw } from './fields.ts';
import { type PublishFields, publishCommand } from './publication.ts';
import type { ServerFrame } from './server-frames.ts';

export type { Commands } from './commands.ts';

export type CommandKind = keyof Commands;

/** What every command has. */
export interface CommandHead {
  /** 0: its reply carries none. */
  readonly id: number;
  /**
   * Encodes its reply in another way than its codec does. Undefined: this reply is encoded by the codec. Never on the
   * wire.
   */
  readonly encodeReply?: (reply: ServerFrame) => Uint8Array | undefined;
}

/** A command. */
export type ClientFrame = {
  [K in CommandKind]: { readonly kind: K } & CommandHead & Commands[K];
}[CommandKind];

/** What one command may hold, whatever the limit for whole messages is. */
export const clientBounds: Bounds = { text: 1024, list: 1000 };
export const commandKinds = Object.keys(commandReaders) as CommandKind[];

export function isCommandKind(name: string): name is CommandKind {
  return Object.hasOwn(commandReaders, name);
}

/** The frame of a command whose fields a codec has parsed. */
export function readClientFrame(
  kind: CommandKind,
  id: number,
  raw: Raw,
  dialect: Dialect,
): Decoded<ClientFrame> {
  const faults: { first?: Fault } = {};
  const values = commandReaders[kind](new Fields(raw, dialect, clientBounds, faults));
  if (faults.first !== undefined) return { ok: false, id, ...faults.first };
  const frame = kind === 'publish' ? publishCommand(id, values as PublishFields) : { kind, id, ...values };
  return { ok: true, frame: frame as ClientFrame };
}
