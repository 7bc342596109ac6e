import type { PublicationInput, Published } from './publication.ts';

/** An `EventEmitter`, or an object with these two methods. */
export interface EventSource {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/**
 * Where an event goes. A topic: the type is the name of the event, and the data its argument, or a list of several
 * arguments. A function: its result for the arguments is published; undefined or null: nothing.
 */
export type Route =
  | string
  | ((...args: never[]) => PublicationInput | readonly PublicationInput[] | null | undefined);

/** By name of the event. */
export type Routes = Readonly<Record<string, Route>>;

type Publish = (publication: PublicationInput) => Promise<Published>;

/**
 * Publishes the events of `emitter`. Returns how to stop. Neither a route that throws nor a publication that fails
 * reaches the emitter: `onError` is told.
 */
export function forwardEvents(
  emitter: EventSource,
  routes: Routes,
  publish: Publish,
  onError: (error: Error) => void,
): () => void {
  if (typeof onError !== 'function') throw new TypeError('onError must be a function');
  for (const [event, route] of Object.entries(routes))
    if (typeof route !== 'string' && typeof route !== 'function')
      throw new TypeError(`the route of ${event} must be a topic or a function`);
  const listeners = Object.entries(routes).map(([event, route]) => {
    const listener = (...args: unknown[]) => {
      try {
        for (const publication of publicationsOf(event, route, args)) publish(publication).catch(onError);
      } catch (error) {
        onError(error instanceof Error ? error : new Error(String(error), { cause: error }));
      }
    };
    emitter.on(event, listener);
    return { event, listener };
  });
  return () => {
    for (const { event, listener } of listeners.splice(0)) emitter.off(event, listener);
  };
}

function publicationsOf(event: string, route: Route, args: readonly unknown[]): readonly PublicationInput[] {
  if (typeof route === 'string')
    return [{ topic: route, type: event, data: args.length > 1 ? args : args[0] }];
  const publications = route(...(args as never[]));
  if (publications === undefined || publications === null) return [];
  return Array.isArray(publications) ? publications : [publications as PublicationInput];
}
