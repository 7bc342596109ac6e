import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

type Params = Readonly<Record<string, unknown>>;

interface Reply {
  readonly id?: number;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

/**
 * A browser by its own protocol. Other than with Playwright, a tab in the background is hidden, so that it can be
 * frozen, and pages that were left are kept for the way back.
 */
export class Devtools {
  readonly #socket: WebSocket;
  readonly #end: () => Promise<void>;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket, end: () => Promise<void>) {
    this.#socket = socket;
    this.#end = end;
    socket.on('message', (text) => {
      const reply = JSON.parse(String(text)) as Reply;
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async launch(): Promise<Devtools> {
    const profile = await mkdtemp(join(tmpdir(), 'sluice-browser-'));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const chromium = spawn(
      process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      [...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const ended = once(chromium, 'exit');
    const end = async () => {
      chromium.kill();
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    };
    for await (const line of createInterface(chromium.stderr)) {
      const [, url] = /^DevTools listening on (ws:\S+)$/.exec(line) ?? [];
      if (url === undefined) continue;
      const socket = new WebSocket(url);
      await once(socket, 'open');
      chromium.stderr.resume();
      return new Devtools(socket, end);
    }
    await end();
    throw new Error('the browser did not start');
  }

  async send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = ++this.#lastId;
    const replied = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { error, result = {} } = await replied;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** `browserContextId`: of a private window. `background`: the tab is hidden. */
  async open(
    url: string,
    more: { browserContextId?: unknown; background?: boolean } = {},
  ): Promise<DevtoolsPage> {
    const { targetId } = await this.send('Target.createTarget', { url, ...more });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    return new DevtoolsPage(this, String(targetId), String(sessionId));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#end();
  }
}

export class DevtoolsPage {
  readonly #devtools: Devtools;
  readonly #target: string;
  readonly #session: string;

  constructor(devtools: Devtools, target: string, session: string) {
    this.#devtools = devtools;
    this.#target = target;
    this.#session = session;
  }

  send(method: string, params: Params = {}): Promise<Params> {
    return this.#devtools.send(method, params, this.#session);
  }

  /** The value of an expression in the page, once it has settled. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      // Otherwise it opens no windows.
      userGesture: true,
    })) as { result: { value: T }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  async close(): Promise<void> {
    await this.#devtools.send('Target.closeTarget', { targetId: this.#target });
  }
}
