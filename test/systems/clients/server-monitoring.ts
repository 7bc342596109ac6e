import { OldClient } from './old-client.ts';

/** System A: a panel of servers, as its own page watched them. */
export class MonitoringPanel extends OldClient {
  readonly cpu = new Map<string, number>();

  static async open(base: string, token: string, path = 'ws'): Promise<MonitoringPanel> {
    const panel = await new MonitoringPanel(`${base}/api/v1/websocket/${path}?token=${token}`).opened();
    panel.socket.on('message', (text) => {
      const { type, data } = JSON.parse(text.toString());
      if (type === 'monitoring_update' && data.cpu !== undefined) panel.cpu.set(data.server_id, data.cpu);
    });
    return panel;
  }

  watch(servers: readonly string[], types: readonly string[] = [], levels: readonly string[] = []): void {
    this.send({
      type: 'subscribe',
      data: { server_ids: servers, monitoring_types: types, alert_levels: levels },
    });
  }

  /** What it sent every 30 s. */
  heartbeat() {
    return this.ask({ type: 'ping' }, 'pong');
  }
}
