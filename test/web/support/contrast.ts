import type { Page } from 'playwright-core';

interface Faint {
  readonly text: string;
  readonly ratio: number;
}

/**
 * The visible texts of a page whose contrast is below `least` (WCAG 2: 4.5 for text of any size), by their computed
 * colours: text over the backgrounds of all ancestors, with their opacities. Pictures, like the canvas of a chart,
 * aren't looked at.
 */
export function faintTexts(page: Page, least: number): Promise<Faint[]> {
  return page.evaluate((leastRatio) => {
    type Rgba = [number, number, number, number];
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('no canvas');
    const parse = (color: string): Rgba => {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      const [r = 0, g = 0, b = 0, a = 0] = context.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a]: Rgba, [br, bg, bb]: Rgba): Rgba => [
      r * a + br * (1 - a),
      g * a + bg * (1 - a),
      b * a + bb * (1 - a),
      1,
    ];
    const luminance = ([r, g, b]: Rgba) => {
      const linear = [r, g, b].map((c) =>
        c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
    };
    const faint: { text: string; ratio: number }[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement;
      const text = node.textContent?.trim() ?? '';
      if (element === null || text === '' || element.closest('script, noscript, legend, [hidden]') !== null)
        continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const chain: Element[] = [];
      for (let each: Element | null = element; each !== null; each = each.parentElement) chain.unshift(each);
      let background: Rgba = [255, 255, 255, 1];
      let opacity = 1;
      for (const each of chain) {
        const style = getComputedStyle(each);
        opacity *= Number(style.opacity);
        const [r, g, b, a] = parse(style.backgroundColor);
        background = over([r, g, b, a * opacity], background);
      }
      const [r, g, b, a] = parse(getComputedStyle(element).color);
      const [light = 0, dark = 0] = [
        luminance(over([r, g, b, a * opacity], background)),
        luminance(background),
      ].sort((x, y) => y - x);
      const ratio = (light + 0.05) / (dark + 0.05);
      if (ratio < leastRatio) faint.push({ text, ratio: Math.round(ratio * 100) / 100 });
    }
    return faint;
  }, least);
}
