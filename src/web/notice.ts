import { el } from './dom.ts';

/** What the page shows while it can't show panels. `reason`: a sentence of the gateway; empty: it gave none. */
export type Lack =
  | { readonly kind: 'empty'; readonly needsKey: boolean }
  | { readonly kind: 'credential'; readonly reason: string; readonly wasRefused: boolean }
  | { readonly kind: 'list'; readonly reason: string }
  | { readonly kind: 'topic'; readonly topic: string; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** What the visitor may do about a notice. */
export interface NoticeActions {
  retry(): void;
  useCredential(text: string): void;
  look(server: string): void;
}

export function notice(lack: Lack, actions: NoticeActions): HTMLElement {
  switch (lack.kind) {
    case 'empty':
      return emptyNotice(lack.needsKey);
    case 'credential':
      return credentialNotice(lack, actions);
    case 'list':
      return serverNotice(
        'Which server?',
        `This gateway tells no list of servers here. ${lack.reason}`,
        actions,
      );
    case 'topic':
      return serverNotice(`${lack.topic} can’t be shown`, lack.reason, actions);
    case 'refused':
      return refusedNotice(lack.reason, actions);
  }
}

/** No server publishes yet: how to make one. */
function emptyNotice(needsKey: boolean): HTMLElement {
  const url = new URL('api/publish', location.href).href.replace(/[?#].*$/, '');
  const body = [
    '{"topic": "server:demo", "type": "monitoring_update", "key": "cpu",',
    '       "data": {"monitoring_type": "cpu", "value": 42, "unit": "%", "level": "ok"}}',
  ].join('\n');
  const key = needsKey ? ` \\\n  -H 'authorization: Bearer API_KEY'` : '';
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
    command(`curl ${url}${key} \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`),
  );
}

/** The gateway wants a credential. */
function credentialNotice(
  { reason, wasRefused }: Extract<Lack, { kind: 'credential' }>,
  actions: NoticeActions,
): HTMLElement {
  const title = wasRefused ? 'The gateway refused the connection' : 'This gateway needs a credential';
  return el(
    'div',
    { class: 'notice', role: wasRefused ? 'alert' : 'status' },
    el('h2', {}, title),
    el('p', {}, `${reason} Enter a token, or an API key that may read. It is kept in this tab only.`),
    form('Token or API key', { type: 'password', autocomplete: 'off' }, 'Connect', actions.useCredential),
    el('h3', {}, 'To make a token'),
    command("sluice token --subscribe 'server:*'"),
  );
}

function serverNotice(title: string, text: string, actions: NoticeActions): HTMLElement {
  return el(
    'div',
    { class: 'notice', role: 'status' },
    el('h2', {}, title),
    el('p', {}, text),
    form('Server', { type: 'text', autocomplete: 'off', placeholder: 'web-01' }, 'Show', actions.look),
    el('h3', {}, 'Or show another credential'),
    form('Token or API key', { type: 'password', autocomplete: 'off' }, 'Connect', actions.useCredential),
  );
}

/** The gateway refuses this page's origin. */
function refusedNotice(reason: string, actions: NoticeActions): HTMLElement {
  const button = el('button', { type: 'button', class: 'primary' }, 'Try again');
  button.addEventListener('click', () => actions.retry());
  return el(
    'div',
    { class: 'notice', role: 'alert' },
    el('h2', {}, 'The gateway refused the connection'),
    el('p', {}, reason),
    button,
  );
}

function form(
  label: string,
  attributes: Readonly<Record<string, string>>,
  action: string,
  submitted: (text: string) => void,
): HTMLElement {
  const input = el('input', { ...attributes, spellcheck: 'false' });
  const element = el(
    'form',
    { class: 'entry' },
    el('label', {}, el('span', { class: 'entry-name' }, label), input),
    el('button', { type: 'submit', class: 'primary' }, action),
  );
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    submitted(input.value);
  });
  return element;
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
