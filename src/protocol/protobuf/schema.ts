// In this order, see there.
import './runtime.ts';

import $protobuf from 'protobufjs/minimal.js';
import { sluice } from './gateway.gen.js';

/** The generated messages, and the reader and writer that they take. */
export const { v1 } = sluice;
export const { Reader, Writer } = $protobuf;
export const { utf8 } = $protobuf.util;
export type { sluice };
