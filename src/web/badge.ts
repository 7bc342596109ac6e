import { el, setText } from './dom.ts';
import type { Level } from './reading.ts';

const names: Readonly<Record<Level, string>> = { ok: 'OK', warning: 'Warning', critical: 'Critical' };

/** A level as a coloured word, because a colour alone does not reach every reader. */
export function badge(level?: Level): HTMLElement {
  const element = el('span', { class: 'badge' });
  setBadge(element, level);
  return element;
}

export function setBadge(element: HTMLElement, level: Level | undefined): void {
  element.dataset['level'] = level ?? 'none';
  setText(element, level ? names[level] : 'No data');
}
