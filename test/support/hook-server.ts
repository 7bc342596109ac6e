import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const hookSecret = 'a secret of at least 32 bytes, for hooks';

export interface Question {
  readonly hook: string;
  readonly client: Readonly<Record<string, unknown>>;
  readonly [name: string]: unknown;
}

/** An application: checks signatures as HOOKS.md says, and answers as the test says. */
export class HookServer {
  url = '';
  questions: Question[] = [];
  /** Questions with a wrong signature. */
  forged = 0;
  /** A number is a status, a text the body as it is, all else JSON. */
  answer: (question: Question, text: string) => unknown = () => ({ allow: true });
  /** Instead of all that. */
  rude: ((response: ServerResponse) => void) | undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<HookServer> {
    const hooks = new HookServer();
    hooks.#server.listen(0, '127.0.0.1');
    await once(hooks.#server, 'listening');
    hooks.url = `http://127.0.0.1:${(hooks.#server.address() as AddressInfo).port}/hook`;
    return hooks;
  }

  /** Forgets what was asked, and answers yes. */
  reset(): void {
    this.questions = [];
    this.answer = () => ({ allow: true });
    this.rude = undefined;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.rude !== undefined) {
      this.rude(response);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const hmac = createHmac('sha256', hookSecret).update(`${request.headers['sluice-timestamp']}.`);
    if (request.headers['sluice-signature'] !== `v1=${hmac.update(body).digest('hex')}`) this.forged++;
    const question = JSON.parse(body.toString()) as Question;
    this.questions.push(question);
    const answer = await this.answer(question, body.toString());
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  }
}
