import { needsOtherCredential } from '../client/gateway-errors.ts';
import { type ClientError, type ClientStatus, SluiceClient } from '../client/index.ts';
import { ChangesView } from './changes-view.ts';
import { ConnectionView, reason } from './connection-view.ts';
import { Credential } from './credential.ts';
import { DeliveryMeter } from './delivery.ts';
import { DeliveryView } from './delivery-view.ts';
import { byId } from './dom.ts';
import { Machine } from './machine.ts';
import { type Lack, notice } from './notice.ts';
import { PanelView } from './panel-view.ts';
import { Picker } from './picker.ts';
import { monitoringTypes } from './reading.ts';
import { ListError, listServers } from './servers.ts';
import { Watch } from './watch.ts';

const emptyPollMs = 2_000;
const listPollMs = 30_000;

/** The page: one client, and one server at a time. Redrawn at most once per frame and at least once a second. */
class Dashboard {
  readonly #query = new URLSearchParams(location.search);
  readonly #credential = new Credential();
  readonly #client = new SluiceClient('ws', {
    token: () => this.#credential.value ?? '',
    clientName: 'sluice-dashboard',
    heartbeat: { intervalMs: 2_000 },
  });
  readonly #meter = new DeliveryMeter(performance.now());
  readonly #connection = new ConnectionView(this.#client);
  readonly #delivery = new DeliveryView(byId('delivery'), this.#client, this.#meter);
  readonly #panels = monitoringTypes.map((type) => new PanelView(type));
  readonly #changes = new ChangesView();
  readonly #picker = new Picker((topic) => this.#look(topic));
  readonly #notice = byId('notice');
  #machine: Machine | undefined;
  #watch: Watch | undefined;
  #topic: string | undefined;
  #topics: readonly string[] = [];
  #listError: ListError | undefined;
  /** The error with which the credential was refused. */
  #refusal: ClientError | undefined;
  #listTimer: ReturnType<typeof setTimeout> | undefined;
  #windowSeconds = 300;
  #drawnAtMs = 0;
  #drawPlanned = false;
  #roundTrips = 0;

  start(): void {
    byId('panels').append(...this.#panels.map(({ element }) => element), this.#changes.element);
    for (const input of document.querySelectorAll<HTMLInputElement>('input[name=window]')) {
      input.addEventListener('change', () => {
        this.#windowSeconds = Number(input.value);
        this.#draw();
      });
    }
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const panel of this.#panels) panel.repaint();
    });
    // The network is back: tries at once.
    addEventListener('online', () => {
      if (this.#client.getStatus().state === 'reconnecting') void this.#client.connect();
    });
    this.#client.on('state', ({ state, error }) => {
      if (state !== 'closed' && error && needsOtherCredential(error.code)) this.#stopFor(error);
      this.#draw();
    });
    this.#client.onConnect(() => {
      this.#roundTrips = 0;
      this.#meter.restart(performance.now());
      // It may be another gateway, or another configuration.
      if (this.#listError !== undefined) void this.#findServers();
    });
    // The first ping goes out while the page is busy, so its estimate of the gateway's clock is poor.
    this.#client.on('roundTrip', () => {
      if (++this.#roundTrips === 2) this.#meter.restart(performance.now());
    });
    this.#client.onError((error) => console.warn(`${error.code}: ${error.message}`));
    void this.#client.connect();
    setInterval(() => this.#draw(), 1_000);
    void this.#findServers();
  }

  /** Polls often until there is a server, then rarely for new ones, as long as the credential may list them. */
  async #findServers(): Promise<void> {
    clearTimeout(this.#listTimer);
    const credential = this.#credential.value;
    try {
      this.#topics = await listServers(credential);
      this.#listError = undefined;
    } catch (error) {
      // If there was no response the connection's state says why. `?topic=` needs no list.
      this.#listError = error instanceof ListError ? error : undefined;
    }
    // Another credential was entered meanwhile, with a request of its own.
    if (credential !== this.#credential.value) return;
    const wanted = this.#topic ?? this.#query.get('topic') ?? this.#topics[0];
    if (wanted && wanted !== this.#topic) this.#look(wanted);
    clearTimeout(this.#listTimer);
    // The same credential would be refused again.
    const isFinal = this.#listError?.status === 401 || this.#listError?.status === 403;
    const delayMs = this.#topic ? listPollMs : emptyPollMs;
    if (!isFinal) this.#listTimer = setTimeout(() => void this.#findServers(), delayMs);
    this.#draw();
  }

  /** Stops until another credential is entered: the same one would be refused again. */
  #stopFor(error: ClientError): void {
    this.#refusal = error;
    queueMicrotask(() => {
      if (this.#refusal === error) this.#client.close();
    });
  }

  #useCredential(text: string): void {
    this.#credential.set(text);
    this.#refusal = undefined;
    this.#client.close();
    void this.#client.connect();
    void this.#findServers();
  }

  #look(topic: string): void {
    this.#watch?.stop();
    this.#topic = topic;
    this.#machine = new Machine();
    this.#meter.restart(performance.now());
    this.#watch = new Watch(this.#client, topic, this.#machine, this.#meter, () => this.#planDraw());
    this.#query.set('topic', topic);
    this.#draw();
  }

  #planDraw(): void {
    if (this.#drawPlanned) return;
    this.#drawPlanned = true;
    requestAnimationFrame(() => {
      this.#drawPlanned = false;
      this.#draw();
    });
  }

  #draw(): void {
    const nowMs = Date.now();
    const status = this.#status();
    const shown = this.#connection.show(this.#status(), nowMs);
    if (this.#topic) this.#picker.show(this.#topics, this.#topic);
    this.#delivery.show(performance.now());
    this.#showNotice(this.#lack(shown === 'refused'));
    if (!this.#machine) return;
    // Without a connection the charts stop, because a moving chart would look like a silent server.
    if (shown === 'live' || this.#drawnAtMs === 0) this.#drawnAtMs = nowMs + status.serverOffsetMs;
    for (const panel of this.#panels) panel.show(this.#machine, this.#drawnAtMs, this.#windowSeconds);
    this.#changes.show(this.#machine.changes);
  }

  #status(): ClientStatus {
    const status = this.#client.getStatus();
    return this.#refusal === undefined ? status : { ...status, state: 'closed', error: this.#refusal };
  }

  /** Why the page can't show a server; undefined: it can. */
  #lack(isRefused: boolean): Lack | undefined {
    const { state, error } = this.#status();
    const hasCredential = this.#credential.value !== undefined;
    if (state !== 'connected' && error && needsOtherCredential(error.code)) {
      return { kind: 'credential', reason: reason(error), wasRefused: hasCredential };
    }
    if (isRefused && this.#client.getStats().connects === 0)
      return { kind: 'refused', reason: reason(error) };
    const subscription = this.#watch?.subscription;
    if (this.#topic && subscription?.state === 'refused' && !subscription.error?.retry) {
      return { kind: 'topic', topic: this.#topic, reason: reason(subscription.error) };
    }
    if (this.#topic) return undefined;
    if (this.#listError === undefined || state !== 'connected')
      return { kind: 'empty', needsKey: hasCredential };
    return { kind: 'list', reason: `${this.#listError.message}.` };
  }

  #showNotice(lack: Lack | undefined): void {
    document.body.dataset['view'] = lack === undefined ? 'panels' : lack.kind;
    const shown = JSON.stringify(lack ?? '');
    if (this.#notice.dataset['shown'] === shown) return;
    this.#notice.dataset['shown'] = shown;
    this.#notice.replaceChildren();
    if (lack === undefined) return;
    this.#notice.append(
      notice(lack, {
        retry: () => void this.#client.connect(),
        useCredential: (text) => this.#useCredential(text),
        look: (server) => this.#look(server.includes(':') ? server : `server:${server}`),
      }),
    );
  }
}

new Dashboard().start();
