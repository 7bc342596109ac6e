import { byId, el, setText } from '../dom.ts';
import { Coverage, type FrameCoverage } from './coverage.ts';
import type { Frame } from './wire.ts';

/** More rows than this are no help to a reader. */
const rowsMax = 200;
const contentMaxLength = 400;

/** Whether the frame says that something is lost. */
function isGap(frame: Frame): boolean {
  const results = frame.type === 'subscribed' ? (frame['results'] as readonly Frame[]) : [];
  return frame.type === 'gap' || [frame, ...results].some(({ recovered }) => recovered === false);
}

/** The frames of one connection, newest first, and their totals. */
export class FramesView {
  readonly #rows = byId('frames');
  readonly #figures = { count: 0, repeats: 0, gaps: 0, reconnects: 0 };
  #coverage = new Coverage();
  #tellsCoverage = true;

  /** `tellsCoverage`: frames are shown as they came, with what they cover. The SDK reports gaps itself. */
  clear(tellsCoverage: boolean): void {
    this.#rows.replaceChildren();
    this.#coverage = new Coverage();
    this.#tellsCoverage = tellsCoverage;
    for (const name of ['count', 'repeats', 'gaps', 'reconnects'] as const) this.#figures[name] = 0;
    this.#show();
  }

  frame(frame: Frame): void {
    const covered = this.#coverage.take(frame);
    const missing = this.#tellsCoverage ? (covered?.missing ?? 0) : 0;
    this.#figures.count += covered?.isRepeat === false ? covered.count : 0;
    this.#figures.repeats += covered?.isRepeat === true ? covered.count : 0;
    const lost = isGap(frame) || missing > 0;
    if (lost) this.#figures.gaps++;
    const { data = frame } = frame;
    const text = JSON.stringify(data);
    const content = text.length > contentMaxLength ? `${text.slice(0, contentMaxLength)}…` : text;
    this.#row(
      lost ? 'gap' : 'frame',
      frame.type,
      String(frame['topic'] ?? ''),
      this.#rangeText(covered),
      content,
    );
    this.#show();
  }

  /** A row for a change of the connection. */
  connection(word: string, why: string): void {
    this.#row('connection', word, '', '', why);
  }

  reconnected(): void {
    this.#figures.reconnects++;
    this.#show();
  }

  #rangeText(covered: FrameCoverage | undefined): string {
    if (covered === undefined) return '';
    const { after, upto, isRepeat, missing } = covered;
    if (!this.#tellsCoverage) return `offset ${upto}`;
    return `(${after}, ${upto}]${isRepeat ? ' again' : ''}${missing > 0 ? `, ${missing} missing` : ''}`;
  }

  #row(kind: string, ...cells: readonly string[]): void {
    const time = new Date().toLocaleTimeString('en-GB');
    this.#rows.prepend(
      el('tr', { 'data-kind': kind }, ...[time, ...cells].map((text) => el('td', {}, text))),
    );
    while (this.#rows.children.length > rowsMax) this.#rows.lastElementChild?.remove();
  }

  #show(): void {
    for (const [name, value] of Object.entries(this.#figures)) setText(byId(name), String(value));
  }
}
