import $protobuf from 'protobufjs/minimal.js';

// 64-bit fields as plain numbers: offsets and times are at most 2^53-1. Must be evaluated before the generated code,
// which looks at `util.Long` when it is loaded.
($protobuf.util as { Long: unknown }).Long = undefined;
$protobuf.configure();
