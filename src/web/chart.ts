import uPlot from 'uplot';
import { aloneIn, type SeriesData } from './series.ts';
import { labelStride } from './tick-labels.ts';

export interface ChartOptions {
  readonly lines: number;
  readonly format: (value: number) => string;
  /** The axis reaches at least up to this value. */
  readonly top: () => number;
  /** Called with the index of the sample under the pointer; undefined: none. All charts show the same. */
  readonly hover: (index: number | undefined) => void;
}

/** The widths left of the plot, for the values, and right of it. */
const valuesPx = 64;
const marginPx = 18;

/** A sliding chart: its right edge is now. Its colours are those of the style sheet, light or dark. */
export class Chart {
  readonly #plot: uPlot;
  readonly #host: HTMLElement;
  #windowSeconds = 300;
  #nowSeconds = 0;

  constructor(host: HTMLElement, options: ChartOptions) {
    this.#host = host;
    this.#plot = new uPlot(this.#options(options), [[], ...emptyLines(options.lines)], host);
    new ResizeObserver(() => this.#resize()).observe(host);
  }

  draw(data: SeriesData, nowSeconds: number, windowSeconds: number): void {
    this.#nowSeconds = nowSeconds;
    this.#windowSeconds = windowSeconds;
    this.#plot.setData(data as uPlot.AlignedData);
  }

  /** After a change of the colour scheme. */
  repaint(): void {
    this.#plot.redraw(false, true);
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (width > 0 && height > 0) this.#plot.setSize({ width, height });
  }

  #options({ lines, format, top, hover }: ChartOptions): uPlot.Options {
    const color = (name: string) => () => getComputedStyle(this.#host).getPropertyValue(name).trim();
    const axis = {
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      stroke: color('--muted'),
      ticks: { show: false },
    };
    return {
      width: this.#host.clientWidth || 300,
      height: this.#host.clientHeight || 140,
      padding: [8, marginPx, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        sync: { key: 'sluice', setSeries: false },
        points: { size: 7 },
      },
      hooks: { setCursor: [(plot) => hover(plot.cursor.idx ?? undefined)] },
      scales: {
        x: { time: false, range: () => [this.#nowSeconds - this.#windowSeconds, this.#nowSeconds] },
        y: { range: (_plot, _min, max) => [0, niceTop(Math.max(top(), max ?? 0))] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          gap: 6,
          grid: { show: false },
          splits: () => this.#ticks(),
          values: (_plot, splits) => this.#tickLabels(splits),
        },
        {
          ...axis,
          size: valuesPx,
          gap: 8,
          grid: { stroke: color('--grid'), width: 1 },
          splits: (_plot, _axis, min, max) => [min, max / 2, max],
          // `0.5` rather than `0.50`: ticks are halves of round numbers.
          values: (_plot, splits) => splits.map((split) => format(split).replace(/\.0+(?= |$)/, '')),
        },
      ],
      series: [{}, ...Array.from({ length: lines }, (_, index) => lineStyle(index, color))],
    };
  }

  #ticks(): number[] {
    const steps = this.#windowSeconds === 300 ? 5 : 4;
    return Array.from(
      { length: steps + 1 },
      (_, index) => this.#nowSeconds - (this.#windowSeconds * (steps - index)) / steps,
    );
  }

  /** A narrow chart labels fewer ticks, but always the newest. */
  #tickLabels(splits: readonly number[]): string[] {
    const steps = splits.length - 1;
    const stride = labelStride(steps, this.#host.clientWidth - valuesPx - marginPx);
    return splits.map((split, index) => ((steps - index) % stride === 0 ? this.#agoLabel(split) : ''));
  }

  #agoLabel(seconds: number): string {
    const ago = Math.round(this.#nowSeconds - seconds);
    if (ago <= 0) return 'now';
    return ago % 60 === 0 ? `−${ago / 60} min` : `−${ago} s`;
  }
}

function lineStyle(index: number, color: (name: string) => () => string): uPlot.Series {
  const strong = index === 0;
  return {
    stroke: color(strong ? '--line' : '--line-2'),
    width: strong ? 1.75 : 1.5,
    points: {
      show: false,
      size: 5,
      width: 0,
      fill: color(strong ? '--line' : '--line-2'),
      filter: (plot, which) => aloneIn(plot.data[which] ?? []),
    },
    spanGaps: false,
    ...(strong ? { fill: (plot: uPlot) => fade(plot, color('--line')()) } : {}),
  };
}

/** Strong at the top of the plot, transparent at its bottom. The style sheet has line colours as #rrggbb. */
function fade(plot: uPlot, color: string): CanvasGradient {
  const { top, height } = plot.bbox;
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `${color}47`);
  gradient.addColorStop(1, `${color}05`);
  return gradient;
}

function emptyLines(count: number): number[][] {
  return Array.from({ length: count }, () => []);
}

/** The next larger round number whose half is round too: a power of ten times one of the factors below. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 4, 6, 8, 10].find((candidate) => candidate * power >= value * 0.999) ?? 10;
  return factor * power;
}
