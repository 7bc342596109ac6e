import { SluiceClient } from '../client/index.ts';
import { ChangesView } from './changes-view.ts';
import { ConnectionView, reason } from './connection-view.ts';
import { DeliveryMeter } from './delivery.ts';
import { DeliveryView } from './delivery-view.ts';
import { byId } from './dom.ts';
import { Machine } from './machine.ts';
import { emptyNotice, refusedNotice } from './notice.ts';
import { PanelView } from './panel-view.ts';
import { Picker } from './picker.ts';
import { monitoringTypes } from './reading.ts';
import { listServers } from './servers.ts';
import { Watch } from './watch.ts';

const emptyPollMs = 2_000;
const listPollMs = 30_000;

/** The page: one client, one server at a time, redrawn at most once a frame and at least once a second. */
class Dashboard {
  readonly #query = new URLSearchParams(location.search);
  /** Behind the `#`, where it goes into no log. */
  readonly #token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
  readonly #client = new SluiceClient('/ws', {
    token: this.#token,
    clientName: 'sluice-dashboard',
    heartbeat: { intervalMs: 2_000 },
  });
  readonly #meter = new DeliveryMeter(Date.now());
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
    // Networks that come back are worth an attempt at once.
    addEventListener('online', () => {
      if (this.#client.getStatus().state === 'reconnecting') void this.#client.connect();
    });
    this.#client.on('state', () => this.#draw());
    this.#client.onConnect(() => {
      this.#roundTrips = 0;
      this.#meter.restart(Date.now());
    });
    // The first ping goes out while the page is still busy: its guess at the gateway's clock is a poor one.
    this.#client.on('roundTrip', () => {
      if (++this.#roundTrips === 2) this.#meter.restart(Date.now());
    });
    this.#client.onError((error) => console.warn(`${error.code}: ${error.message}`));
    void this.#client.connect();
    setInterval(() => this.#draw(), 1_000);
    void this.#findServers();
  }

  /** Until there is a server often, then now and then for those that come later. */
  async #findServers(): Promise<void> {
    try {
      this.#topics = await listServers(this.#token);
    } catch {
      // The connection's own state says what is wrong; `?topic=` needs no list.
    }
    const wanted = this.#topic ?? this.#query.get('topic') ?? this.#topics[0];
    if (wanted && wanted !== this.#topic) this.#look(wanted);
    setTimeout(() => void this.#findServers(), this.#topic ? listPollMs : emptyPollMs);
    this.#draw();
  }

  #look(topic: string): void {
    this.#watch?.stop();
    this.#topic = topic;
    this.#machine = new Machine();
    this.#meter.restart(Date.now());
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
    const status = this.#client.getStatus();
    const shown = this.#connection.show(nowMs);
    if (this.#topic) this.#picker.show(this.#topics, this.#topic);
    this.#delivery.show(nowMs);
    this.#showNotice(shown === 'refused' && status.connectedAtMs === undefined);
    if (!this.#machine) return;
    // Without a connection the charts stand still: time going on would look like servers falling silent.
    if (shown === 'live' || this.#drawnAtMs === 0) this.#drawnAtMs = nowMs + status.serverOffsetMs;
    for (const panel of this.#panels) panel.show(this.#machine, this.#drawnAtMs, this.#windowSeconds);
    this.#changes.show(this.#machine.changes);
  }

  #showNotice(refused: boolean): void {
    const kind = refused && this.#client.getStats().connects === 0 ? 'refused' : this.#topic ? '' : 'empty';
    document.body.dataset['view'] = kind || 'panels';
    if (this.#notice.dataset['kind'] === kind) return;
    this.#notice.dataset['kind'] = kind;
    const retry = (): void => void this.#client.connect();
    if (kind === 'refused')
      this.#notice.replaceChildren(refusedNotice(reason(this.#client.getStatus().error), retry));
    else if (kind === 'empty') this.#notice.replaceChildren(emptyNotice(location.origin));
    else this.#notice.replaceChildren();
  }
}

new Dashboard().start();
