import { byId, el } from './dom.ts';
import { serverName } from './servers.ts';

/** Shows the name of the server, or a choice if there are several. */
export class Picker {
  readonly #host = byId('server');
  readonly #choose: (topic: string) => void;
  #shown = '';

  constructor(choose: (topic: string) => void) {
    this.#choose = choose;
  }

  show(topics: readonly string[], chosen: string): void {
    const all = topics.includes(chosen) ? topics : [chosen, ...topics];
    const key = JSON.stringify([all, chosen]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#host.replaceChildren(
      all.length > 1 ? this.#select(all, chosen) : el('span', {}, serverName(chosen)),
    );
  }

  #select(topics: readonly string[], chosen: string): HTMLElement {
    const select = el('select', { 'aria-label': 'Server' });
    for (const topic of topics) {
      const option = el('option', { value: topic }, serverName(topic));
      option.selected = topic === chosen;
      select.append(option);
    }
    select.addEventListener('change', () => this.#choose(select.value));
    return select;
  }
}
