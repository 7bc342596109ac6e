import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Api, Opened } from '../api/dispatch.ts';
import type { ApiResponse } from '../api/http.ts';
import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { concatBytes } from '../protocol/bytes.ts';
import { requestHead } from './request-head.ts';

/**
 * Serves everything that is not a WebSocket upgrade. Of requests that a client sends ahead of their answers, only those are
 * served whose predecessor is answered in the turn in which it came: otherwise the library ends the connection, before any
 * code of ours runs (test/transport/uws-facts.test.ts). What had begun goes on, and nothing behind it begins.
 */
export function serveHttp(app: TemplatedApp, api: Api): void {
  app.any('/*', (response, request) => handleHttp(response, request, api));
}

function handleHttp(response: HttpResponse, request: HttpRequest, api: Api): void {
  const state = { aborted: false };
  response.onAborted(() => {
    state.aborted = true;
  });
  const opened = api.open(requestHead(response, request));
  const answer = (body: Uint8Array | SluiceError) => {
    void whenDone(opened.finish(body), (answer) => write(response, state, answer));
  };
  if (opened.bodyMaxBytes === 0) answer(noBody);
  else readBody(response, opened, answer);
}

const noBody = new Uint8Array(0);

/**
 * Collects the body into memory of its own, which a payload that is most of it may keep: the library's is used again as
 * soon as the handler returns. Over the limit it answers at once.
 */
function readBody(
  response: HttpResponse,
  { bodyMaxBytes }: Opened,
  answer: (body: Uint8Array | SluiceError) => void,
): void {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let answered = false;
  response.onData((chunk, isLast) => {
    if (answered) return;
    bytes += chunk.byteLength;
    if (bytes > bodyMaxBytes) {
      answered = true;
      chunks = [];
      answer(new SluiceError('frame_too_large', `a body has at most ${bodyMaxBytes} bytes`));
      return;
    }
    const copy = new Uint8Array(chunk.slice(0));
    if (!isLast) {
      chunks.push(copy);
      return;
    }
    answered = true;
    answer(chunks.length === 0 ? copy : concatBytes([...chunks, copy]));
  });
}

function write(
  response: HttpResponse,
  state: { aborted: boolean },
  { status, headers, body, omitBody }: ApiResponse,
): void {
  if (state.aborted) return;
  state.aborted = true;
  response.cork(() => {
    response.writeStatus(statusLine(status));
    for (const name in headers) response.writeHeader(name, headers[name] as string);
    if (omitBody === true) {
      // With a length of its own the library would wait for the body, and end the connection at the next request.
      response.writeHeader('content-length', String(Buffer.byteLength(body)));
      response.endWithoutBody();
    } else if (status === 204 || status === 304) response.endWithoutBody();
    else response.end(body);
  });
}

const statusLines = new Map<number, string>();

export function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
    statusLines.set(status, line);
  }
  return line;
}
