import { Credential } from './credential.ts';
import { byId, el, setText } from './dom.ts';
import { FramesView } from './try/frames-view.ts';
import { JsonWire } from './try/json-wire.ts';
import { PollWire } from './try/poll-wire.ts';
import { RoundTrip } from './try/round-trip.ts';
import { SdkWire } from './try/sdk-wire.ts';
import { SseWire } from './try/sse-wire.ts';
import type { NewPublication, OpenWire, TrySettings, Wire } from './try/wire.ts';

interface Transport {
  readonly label: string;
  readonly open: OpenWire;
  /** Frames are shown as they came. */
  readonly showsFrames: boolean;
  readonly hint: string;
}

const transports: Readonly<Record<string, Transport>> = {
  sdk: {
    label: 'WebSocket, protobuf (the SDK)',
    open: (settings, listener) => new SdkWire(settings, listener),
    showsFrames: false,
    hint: '',
  },
  json: {
    label: 'WebSocket, JSON',
    open: (settings, listener) => new JsonWire(settings, listener),
    showsFrames: true,
    hint: '',
  },
  sse: {
    label: 'Server-Sent Events',
    open: (settings, listener) => new SseWire(settings, listener),
    showsFrames: true,
    hint: 'EventSource sends the credential in the URL, which ends up in logs: use a token that ends soon.',
  },
  poll: {
    label: 'Long polling',
    open: (settings, listener) => new PollWire(settings, listener),
    showsFrames: true,
    hint: '',
  },
};

const subscribeForm = byId('subscribe') as HTMLFormElement;
const publishForm = byId('publish') as HTMLFormElement;
const select = subscribeForm.elements.namedItem('transport') as HTMLSelectElement;
const credential = new Credential();
const frames = new FramesView();
const roundTrip = new RoundTrip((ms) => setText(byId('round-trip'), `${ms.toFixed(1)} ms`));
let wire: Wire | undefined;

function field(form: HTMLFormElement, name: string): HTMLInputElement {
  return form.elements.namedItem(name) as HTMLInputElement;
}

function textOf(form: HTMLFormElement, name: string): string | undefined {
  return field(form, name).value.trim() || undefined;
}

/** The JSON in a field; undefined: it is empty. Throws an error that names the field. */
function jsonOf<T>(form: HTMLFormElement, name: string): T | undefined {
  const text = textOf(form, name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    field(form, name).focus();
    throw new Error(`${name} is not JSON`, { cause });
  }
}

function numberOf(form: HTMLFormElement, name: string): number | undefined {
  const text = textOf(form, name);
  return text === undefined ? undefined : Number(text);
}

function show(state: string, word: string): void {
  byId('state').dataset['state'] = state;
  setText(byId('state'), word);
  const isOpen = state !== 'idle' && state !== 'ended';
  for (const id of ['cut', 'close']) (byId(id) as HTMLButtonElement).disabled = !isOpen;
  const publish = publishForm.querySelector('button') as HTMLButtonElement;
  publish.disabled = !isOpen;
}

function connect(): void {
  wire?.close();
  const { open, showsFrames, label } = transports[select.value] as Transport;
  const settings: TrySettings = {
    topic: textOf(subscribeForm, 'topic') ?? '',
    filter: jsonOf(subscribeForm, 'filter'),
    intervalMs: numberOf(subscribeForm, 'intervalMs'),
    last: numberOf(subscribeForm, 'last'),
    credential: credential.value,
  };
  frames.clear(showsFrames);
  setText(byId('round-trip'), '–');
  let wasConnected = false;
  let isLost = false;
  // Events of a wire that was closed must not be shown as those of the next one.
  let isCurrent = true;
  const opened = open(settings, {
    connecting: () => isCurrent && show('connecting', 'Connecting …'),
    connected: () => {
      if (!isCurrent) return;
      show('connected', `Connected: ${label}`);
      frames.connection('connected', wasConnected ? 'again: what was missed follows' : '');
      if (wasConnected) frames.reconnected();
      wasConnected = true;
      isLost = false;
    },
    lost: (why) => {
      if (!isCurrent) return;
      show('lost', 'Connection lost, coming back …');
      // The SDK says so again before each attempt.
      if (!isLost) frames.connection('lost', why);
      isLost = true;
    },
    ended: (why) => {
      if (!isCurrent) return;
      show('ended', `Ended: ${why}`);
      frames.connection('ended', why);
    },
    frame: (frame) => {
      if (!isCurrent) return;
      frames.frame(frame);
      roundTrip.received(frame, performance.now());
    },
  });
  wire = {
    publish: (sent) => opened.publish(sent),
    cut: () => opened.cut(),
    close: () => {
      isCurrent = false;
      opened.close();
    },
  };
}

/** Shows what is wrong with the input, or what the gateway has replied. */
function tell(id: string, text: string, isFailure: boolean): void {
  byId(id).dataset['state'] = isFailure ? 'failed' : '';
  setText(byId(id), text);
}

function hint(): void {
  tell('hint', (transports[select.value] as Transport).hint, false);
}

async function publish(): Promise<void> {
  const publication: NewPublication = {
    topic: textOf(publishForm, 'topic') ?? '',
    type: textOf(publishForm, 'type') ?? '',
    data: jsonOf(publishForm, 'data') ?? null,
    tags: jsonOf(publishForm, 'tags'),
  };
  if (wire === undefined) return;
  const sentAtMs = performance.now();
  const position = await wire.publish(publication);
  const ms = performance.now() - sentAtMs;
  tell(
    'published',
    `Offset ${position.offset} of epoch ${position.epoch}, acknowledged in ${ms.toFixed(1)} ms`,
    false,
  );
  roundTrip.published(publication.topic, position, sentAtMs);
}

for (const [value, { label }] of Object.entries(transports)) select.append(el('option', { value }, label));
field(subscribeForm, 'credential').value = credential.value ?? '';
// A scrolling area must be focusable, so that the keyboard can scroll it.
byId('scroll').tabIndex = 0;
hint();
select.addEventListener('change', hint);
field(subscribeForm, 'credential').addEventListener('change', ({ target }) => {
  credential.set((target as HTMLInputElement).value);
});
subscribeForm.addEventListener('submit', (event) => {
  event.preventDefault();
  hint();
  try {
    connect();
  } catch (error) {
    tell('hint', (error as Error).message, true);
  }
});
publishForm.addEventListener('submit', (event) => {
  event.preventDefault();
  publish().catch((error: Error) => tell('published', error.message, true));
});
byId('cut').addEventListener('click', () => wire?.cut());
byId('close').addEventListener('click', () => {
  wire?.close();
  wire = undefined;
  show('idle', 'Not connected');
});
