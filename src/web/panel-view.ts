import { badge, setBadge } from './badge.ts';
import { Chart } from './chart.ts';
import { el, setText } from './dom.ts';
import { clockTime, plain } from './format.ts';
import type { Machine } from './machine.ts';
import { panels } from './panels.ts';
import type { MonitoringType, Reading } from './reading.ts';
import type { SeriesData } from './series.ts';

/** After this time without a sample a panel says so. */
const staleAfterMs = 15_000;

/** The card of one monitoring type: level, newest value, chart. */
export class PanelView {
  readonly element: HTMLElement;
  readonly #type: MonitoringType;
  readonly #badge = badge();
  readonly #value = el('span', { class: 'value' }, '–');
  readonly #unit = el('span', { class: 'unit' });
  readonly #detail = el('p', { class: 'detail' });
  readonly #plot = el('div', { class: 'plot', role: 'img' });
  readonly #hint = el('p', { class: 'hint' });
  readonly #chart: Chart;
  #data: SeriesData = [[]];
  #latest: Reading | undefined;
  #hovered: number | undefined;

  constructor(type: MonitoringType) {
    this.#type = type;
    const { title, lines, format, top } = panels[type];
    const legend = el('ul', { class: 'legend' }, ...lines.map(({ label }) => el('li', {}, label)));
    this.element = el(
      'section',
      { class: 'card panel', 'data-type': type, 'aria-label': title },
      el('header', {}, el('h2', {}, title), this.#badge),
      el('div', { class: 'reading' }, el('p', { class: 'headline' }, this.#value, this.#unit), this.#detail),
      el('div', { class: 'plot-frame' }, this.#plot, this.#hint),
      legend,
    );
    this.#chart = new Chart(this.#plot, {
      lines: lines.length,
      format: (value) => plain(format(value)).trim(),
      top: () => top(this.#latest),
      hover: (index) => this.#hover(index),
    });
  }

  show(machine: Machine, nowMs: number, windowSeconds: number): void {
    this.#latest = machine.latest(this.#type);
    this.#data = machine.series(this.#type).data();
    this.#chart.draw(this.#data, nowMs / 1_000, windowSeconds);
    this.#showReading(nowMs);
    this.#plot.setAttribute('aria-label', this.#description(windowSeconds));
  }

  repaint(): void {
    this.#chart.repaint();
  }

  #showReading(nowMs: number): void {
    const reading = this.#latest;
    const age = reading && nowMs - reading.timestampMs;
    setText(
      this.#hint,
      age === undefined
        ? 'No samples yet'
        : age > staleAfterMs
          ? `No sample since ${clockTime(reading?.timestampMs ?? 0)}`
          : '',
    );
    this.element.classList.toggle('stale', age === undefined || age > staleAfterMs);
    setBadge(this.#badge, reading?.level);
    if (!reading) return;
    const { value, unit } = panels[this.#type].headline(reading);
    setText(this.#value, value);
    setText(this.#unit, unit);
    if (this.#hovered === undefined) setText(this.#detail, panels[this.#type].detail(reading));
  }

  #hover(index: number | undefined): void {
    this.#hovered = index;
    const [times, ...lines] = this.#data;
    const seconds = index === undefined ? undefined : times[index];
    if (index === undefined || seconds === undefined) {
      if (this.#latest) setText(this.#detail, panels[this.#type].detail(this.#latest));
      return;
    }
    const values = lines.map((line) => line[index] ?? undefined).filter((value) => value !== undefined);
    const shown = values.map((value) => plain(panels[this.#type].format(value)).trim());
    setText(this.#detail, [clockTime(seconds * 1_000), ...shown].join(' · '));
  }

  #description(windowSeconds: number): string {
    const { title, headline } = panels[this.#type];
    const now = this.#latest ? `now ${plain(headline(this.#latest))}` : 'no samples yet';
    return `${title}, the last ${windowSeconds / 60} minutes, ${now}`;
  }
}
