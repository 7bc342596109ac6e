/** Gives objects small numbers, for records that cannot hold objects. A number that is given back is used again. */
export class Numbered<T> {
  readonly #objects: (T | undefined)[] = [];
  readonly #free: number[] = [];

  add(object: T): number {
    const number = this.#free.pop() ?? this.#objects.length;
    this.#objects[number] = object;
    return number;
  }

  get(number: number): T {
    return this.#objects[number] as T;
  }

  remove(number: number): void {
    this.#objects[number] = undefined;
    this.#free.push(number);
  }
}
