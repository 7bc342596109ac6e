import type { SluiceClient } from '../client/index.ts';
import type { DeliveryMeter } from './delivery.ts';
import { el, setText } from './dom.ts';
import { bytes, count, milliseconds, plain, type Quantity } from './format.ts';

const figures = {
  rate: ['Messages', 'Publications received a second, over the last 10 seconds'],
  latency: [
    'Latency',
    'From the publication’s timestamp until it is here: median, and what one in twenty exceeds',
  ],
  roundTrip: ['Round trip', 'Of the latest ping to the gateway'],
  received: ['Received', 'Publications since the page was opened'],
  traffic: ['Traffic', 'Bytes since the page was opened, as they came over the wire'],
  reconnects: ['Reconnects', 'Since the page was opened'],
} as const;

type Figure = keyof typeof figures;

/** Shows the page's own measurements of the delivery in a strip of figures. */
export class DeliveryView {
  readonly #cells = new Map<Figure, Record<'value' | 'unit' | 'note', HTMLElement>>();
  readonly #client: SluiceClient;
  readonly #meter: DeliveryMeter;

  constructor(host: HTMLElement, client: SluiceClient, meter: DeliveryMeter) {
    this.#client = client;
    this.#meter = meter;
    for (const figure of Object.keys(figures) as Figure[]) host.append(this.#cell(figure));
  }

  show(nowMs: number): void {
    const { roundTripMs } = this.#client.getStatus();
    const { publications, bytesReceived, connects } = this.#client.getStats();
    const latency = this.#meter.latency();
    this.#set('rate', { value: this.#meter.perSecond(nowMs).toFixed(1), unit: '/s' });
    this.#set(
      'latency',
      latency && milliseconds(latency.medianMs),
      latency && `p95 ${plain(milliseconds(latency.p95Ms))}`,
    );
    this.#set('roundTrip', roundTripMs === undefined ? undefined : milliseconds(roundTripMs));
    this.#set('received', { value: count(publications), unit: '' });
    this.#set('traffic', bytes(bytesReceived));
    this.#set('reconnects', { value: count(Math.max(0, connects - 1)), unit: '' });
  }

  #cell(figure: Figure): HTMLElement {
    const [label, title] = figures[figure];
    const value = el('span', { class: 'value' }, '–');
    const unit = el('span', { class: 'unit' });
    const note = el('span', { class: 'note' });
    this.#cells.set(figure, { value, unit, note });
    return el('div', { 'data-figure': figure, title }, el('dt', {}, label), el('dd', {}, value, unit, note));
  }

  #set(figure: Figure, quantity: Quantity | undefined, note = ''): void {
    const cell = this.#cells.get(figure);
    if (!cell) return;
    setText(cell.value, quantity?.value ?? '–');
    setText(cell.unit, quantity?.unit ?? '');
    setText(cell.note, note);
  }
}
