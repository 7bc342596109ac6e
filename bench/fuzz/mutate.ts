/** Numbers and texts on which parsers tend to fail. */
const edges = [
  '0',
  '-1',
  '1.5',
  '1e999',
  '9007199254740993',
  '4294967296',
  '""',
  'null',
  'true',
  '[]',
  '{}',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"constructor"',
  '"$all"',
  '"*"',
  '"a:*"',
  '"..\\/x"',
  '"%00"',
  `"${'x'.repeat(2000)}"`,
  `${'['.repeat(300)}${']'.repeat(300)}`,
  `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
];

export class Mutator {
  readonly #random: () => number;

  /** `random`: from 0 to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** Returns the bytes with up to four mutations. */
  bytes(valid: Uint8Array, others: readonly Uint8Array[]): Buffer {
    let bytes: Buffer = Buffer.from(valid);
    for (let faults = this.below(5); faults > 0; faults--) bytes = this.pick(byteFaults)(bytes, this, others);
    return bytes;
  }

  /** Returns the JSON text with mutations, some of them replaced values. */
  text(valid: string): string {
    let text = valid;
    for (let faults = this.below(4); faults > 0; faults--) text = this.pick(textFaults)(text, this);
    return text;
  }
}

type ByteFault = (bytes: Buffer, mutator: Mutator, others: readonly Uint8Array[]) => Buffer;

const byteFaults: readonly ByteFault[] = [
  (bytes, mutator) => {
    if (bytes.length > 0) bytes[mutator.below(bytes.length)]! ^= 1 << mutator.below(8);
    return bytes;
  },
  (bytes, mutator) => {
    if (bytes.length > 0) bytes[mutator.below(bytes.length)] = mutator.pick([0, 1, 0x7f, 0x80, 0xff]);
    return bytes;
  },
  (bytes, mutator) => bytes.subarray(0, mutator.below(bytes.length + 1)),
  (bytes, mutator) => {
    const at = mutator.below(bytes.length + 1);
    const inserted = Buffer.from(Array.from({ length: 1 + mutator.below(8) }, () => mutator.below(256)));
    return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]);
  },
  (bytes, mutator) => {
    const at = mutator.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + mutator.below(6))]);
  },
  (bytes, mutator, others) => {
    const other = mutator.pick(others);
    return Buffer.concat([
      bytes.subarray(0, mutator.below(bytes.length + 1)),
      other.subarray(mutator.below(other.length + 1)),
    ]);
  },
  (bytes) => (bytes.length < 10_000 ? Buffer.concat([bytes, bytes]) : bytes),
];

const textFaults: readonly ((text: string, mutator: Mutator) => string)[] = [
  // Replaces a value.
  (text, mutator) => {
    const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|null/g)];
    if (values.length === 0) return text;
    const { index, 0: value } = mutator.pick(values);
    return text.slice(0, index) + mutator.pick(edges) + text.slice(index + value.length);
  },
  (text, mutator) => {
    const at = mutator.below(text.length + 1);
    return text.slice(0, at) + text.slice(at + 1 + mutator.below(5));
  },
  (text, mutator) => {
    const at = mutator.below(text.length + 1);
    return (
      text.slice(0, at) +
      mutator.pick([',', '}', '"', '\\', '\u0000', 'é', ' ', '&', '=', '%', ...edges]) +
      text.slice(at)
    );
  },
  (text, mutator) => text.slice(0, mutator.below(text.length + 1)),
  (text, mutator) => {
    const at = mutator.below(text.length + 1);
    return text.slice(0, at) + text.slice(mutator.below(at + 1));
  },
];
