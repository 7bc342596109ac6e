import type { ClientError, ClientStatus, SluiceClient } from '../client/index.ts';
import { byId, el, setText } from './dom.ts';

type Shown = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'refused' | 'closed';

const words: Readonly<Record<Shown, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  refused: 'Refused',
  closed: 'Disconnected',
};

/** Shows the state of the connection: always in a pill, and in a banner while something is wrong. */
export class ConnectionView {
  readonly #pill = byId('connection');
  readonly #word = byId('connection-word');
  readonly #banner = byId('banner');
  readonly #message = el('p', {});
  readonly #countdown = el('span', { class: 'countdown', 'aria-hidden': 'true' });
  readonly #retry = el('button', { type: 'button' }, 'Try now');

  constructor(client: SluiceClient) {
    this.#retry.addEventListener('click', () => void client.connect());
    this.#banner.append(el('div', { role: 'status' }, this.#message), this.#countdown, this.#retry);
  }

  /** Returns the state that is shown. The page greys the charts by it. */
  show(status: ClientStatus, nowMs: number): Shown {
    const shown = shownFor(status);
    this.#pill.dataset['state'] = shown;
    setText(this.#word, words[shown]);
    this.#banner.hidden = shown === 'live' || shown === 'connecting';
    this.#banner.dataset['state'] = shown;
    setText(this.#message, message(shown, status));
    setText(this.#countdown, countdown(status, nowMs));
    document.body.dataset['connection'] = shown;
    return shown;
  }
}

function shownFor({ state, error }: ClientStatus): Shown {
  if (state === 'connected') return 'live';
  if (state === 'closed') return error ? 'refused' : 'closed';
  if (!navigator.onLine) return 'offline';
  return state === 'reconnecting' ? 'reconnecting' : 'connecting';
}

function message(shown: Shown, { error }: ClientStatus): string {
  if (shown === 'offline') return 'This device is offline. What is shown is no longer current.';
  if (shown === 'refused') return `The gateway refused the connection. ${reason(error)}`;
  if (shown === 'closed') return 'Disconnected.';
  if (shown !== 'reconnecting') return '';
  return error && error.number > 0 && error.number < 1_000
    ? `The gateway turned the connection away. ${reason(error)}`
    : 'The connection was lost. What is shown is no longer current.';
}

export function reason(error: ClientError | undefined): string {
  if (!error) return '';
  const sentence = error.message.replace(/\.$/, '');
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)} (${error.code}).`;
}

function countdown({ state, retryAtMs, attempts }: ClientStatus, nowMs: number): string {
  if (state !== 'reconnecting') return '';
  const seconds = retryAtMs === undefined ? 0 : Math.ceil((retryAtMs - nowMs) / 1_000);
  return seconds > 0 ? `Attempt ${attempts} in ${seconds} s` : `Attempt ${attempts} …`;
}
