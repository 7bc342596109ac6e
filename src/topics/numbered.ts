/**
 * Gives objects small numbers, for records that cannot hold objects. A number that is given back is used again.
 *
 * Not a `Map`, because V8 replaces the table of one that changes often. Once one table is old, all later ones and what
 * was in them stay until the next mark-compact.
 */
export class Numbered<T> {
  #objects: (T | undefined)[] = [];
  #free: number[] = [];

  add(object: T): number {
    const number = this.#free.pop() ?? this.#objects.length;
    this.#objects[number] = object;
    return number;
  }

  get(number: number): T {
    return this.#objects[number] as T;
  }

  /** Returns the object. */
  remove(number: number): T {
    const object = this.get(number);
    this.#objects[number] = undefined;
    this.#free.push(number);
    return object;
  }

  /** Returns the objects. */
  removeAll(): readonly T[] {
    const objects = this.#objects.filter((object) => object !== undefined);
    this.#objects = [];
    this.#free = [];
    return objects;
  }
}
