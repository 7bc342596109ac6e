import { el } from './dom.ts';

/** No server publishes yet: how to make one. */
export function emptyNotice(origin: string): HTMLElement {
  const body = [
    '{"topic": "server:demo", "type": "monitoring_update", "key": "cpu",',
    '       "data": {"monitoring_type": "cpu", "value": 42, "unit": "%", "level": "ok"}}',
  ].join('\n');
  return el(
    'div',
    { class: 'notice' },
    el('h2', {}, 'No server is publishing yet'),
    el(
      'p',
      {},
      'This page shows topics whose names begin with ',
      el('code', {}, 'server:'),
      '. It will notice the first one by itself.',
    ),
    el('h3', {}, 'Start the gateway with its host source'),
    command('sluice serve --source-host'),
    el('h3', {}, 'Or publish something'),
    command(`curl ${origin}/api/publish \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`),
  );
}

/** The gateway won't have this page. */
export function refusedNotice(reason: string, retry: () => void): HTMLElement {
  const button = el('button', { type: 'button', class: 'primary' }, 'Try again');
  button.addEventListener('click', retry);
  return el(
    'div',
    { class: 'notice', role: 'alert' },
    el('h2', {}, 'The gateway refused the connection'),
    el('p', {}, reason),
    button,
  );
}

function command(text: string): HTMLElement {
  const copy = el('button', { type: 'button', class: 'copy', 'aria-label': 'Copy the command' }, 'Copy');
  copy.addEventListener('click', () => {
    void navigator.clipboard?.writeText(text).then(() => {
      copy.textContent = 'Copied';
    });
  });
  return el('div', { class: 'command' }, el('pre', { tabindex: '0' }, text), copy);
}
