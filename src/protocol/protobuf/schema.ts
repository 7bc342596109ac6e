// In this order, see there.
import './runtime.ts';

import $protobuf from 'protobufjs/minimal.js';

/** The generated messages, those of a client decoded and those of the gateway encoded only. */
export * as fromClient from './from-client.gen.js';
export * as toClient from './to-client.gen.js';

/** The reader and writer that they take. */
export const { Reader, Writer } = $protobuf;
export const { utf8 } = $protobuf.util;
