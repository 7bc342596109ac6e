import { badge } from './badge.ts';
import { el } from './dom.ts';
import { clockTime } from './format.ts';
import { panels } from './panels.ts';
import { type MonitoringType, monitoringTypes, type StatusChange } from './reading.ts';

/** The list of changes of level, the newest first. */
export class ChangesView {
  readonly element: HTMLElement;
  readonly #list = el('ol', {
    class: 'changes',
    tabindex: '0',
    'aria-label': 'Status changes, the newest first',
  });
  #shown: readonly StatusChange[] | undefined;

  constructor() {
    this.element = el(
      'section',
      { class: 'card panel', 'data-type': 'changes', 'aria-label': 'Status changes' },
      el('header', {}, el('h2', {}, 'Status changes')),
      this.#list,
    );
  }

  show(changes: readonly StatusChange[]): void {
    if (changes === this.#shown) return;
    this.#shown = changes;
    const rows = changes.map(row);
    this.#list.replaceChildren(...(rows.length > 0 ? rows : [el('li', { class: 'none' }, 'None yet')]));
  }
}

function row({ type, timestampMs, from, to, value, unit }: StatusChange): HTMLElement {
  const time = el('time', { datetime: new Date(timestampMs).toISOString() }, clockTime(timestampMs));
  const match = monitoringTypes.find((candidate): candidate is MonitoringType => candidate === type);
  const name = el('span', { class: 'what' }, match ? panels[match].title : type);
  const at = value === undefined ? '' : unit === 'bytes/s' ? '' : `${value} ${unit}`;
  const steps = from
    ? [badge(from), el('span', { class: 'arrow', 'aria-label': 'to' }, '→'), badge(to)]
    : [badge(to)];
  const note = el('span', { class: 'at' }, from ? at : 'first sample');
  return el('li', {}, time, name, note, el('span', { class: 'steps' }, ...steps));
}
