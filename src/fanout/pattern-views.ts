import { patternMatches } from '../topics/topic-name.ts';
import type { View } from './view.ts';

/** The views of patterns that have members, numbered in the order of their first member. */
export class PatternViews {
  readonly #views: View[] = [];
  #newest = 0;

  get all(): readonly View[] {
    return this.#views;
  }

  get isEmpty(): boolean {
    return this.#views.length === 0;
  }

  /** The largest number so far. */
  get newest(): number {
    return this.#newest;
  }

  add(view: View): void {
    view.numberPattern(++this.#newest);
    this.#views.push(view);
  }

  remove(view: View): void {
    this.#views.splice(this.#views.indexOf(view), 1);
  }

  /** Those that match the topic, with a number greater than `after`: the newest first. */
  *matching(topic: string, after: number): Iterable<View> {
    for (let i = this.#views.length - 1; i >= 0; i--) {
      const view = this.#views[i] as View;
      if (view.patternNumber <= after) return;
      if (patternMatches(view.options.target, topic)) yield view;
    }
  }
}
