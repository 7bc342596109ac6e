import type { Filter, Position } from '../../protocol/frames.ts';

/** What the visitor subscribes to. */
export interface TrySettings {
  readonly topic: string;
  readonly filter: Filter | undefined;
  readonly intervalMs: number | undefined;
  /** Begin with the newest N publications. */
  readonly last: number | undefined;
  readonly credential: string | undefined;
}

/** A frame of the JSON codec; an event of the SDK is put into the same form. */
export type Frame = Readonly<Record<string, unknown>> & { readonly type: string };

/** Is told the state of a connection, and its frames. */
export interface WireListener {
  connecting(): void;
  connected(): void;
  /** The connection is lost, and will be opened again. */
  lost(why: string): void;
  /** The connection has ended for good. */
  ended(why: string): void;
  frame(frame: Frame): void;
}

export interface NewPublication {
  readonly topic: string;
  readonly type: string;
  readonly data: unknown;
  readonly tags: Readonly<Record<string, string>> | undefined;
}

/** One connection with one subscription, by any transport. It reconnects and resumes. */
export interface Wire {
  publish(sent: NewPublication): Promise<Position>;
  /** Ends the connection as a network failure would: it reconnects and resumes. */
  cut(): void;
  close(): void;
}

export type OpenWire = (settings: TrySettings, listener: WireListener) => Wire;

/** How long a cut lasts, so that it can be seen. */
export const comeBackMs = 1500;

/** The members of a subscription or query, without absent ones. */
export function subscriptionOf({ topic, filter, intervalMs, last }: TrySettings) {
  return { topic, filter, intervalMs, last };
}

export function headersOf(credential: string | undefined): Record<string, string> {
  const headers = { 'content-type': 'application/json' };
  return credential === undefined ? headers : { ...headers, authorization: `Bearer ${credential}` };
}

/** The message where a response is not the gateway's, as that of a proxy. */
export const anotherServer = 'another server has responded';

/** `POST /api/publish`. Throws an error with the gateway's message. */
export async function publishByHttp(sent: NewPublication, credential: string | undefined): Promise<Position> {
  const response = await fetch('api/publish', {
    method: 'POST',
    headers: headersOf(credential),
    body: JSON.stringify(sent),
  });
  const body = (await response.json()) as Position & { readonly error?: ToldError };
  if (body.error) throw new Error(told(body.error));
  if (body.offset === undefined) throw new Error(anotherServer);
  return body;
}

export interface ToldError {
  readonly code: string;
  readonly message: string;
}

export function told({ code, message }: ToldError): string {
  return `${message} (${code})`;
}
