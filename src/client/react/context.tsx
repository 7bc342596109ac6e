import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { type Client, type ClientOptions, SluiceClient } from '../index.ts';

const ClientContext = createContext<Client | undefined>(undefined);

interface GivenClient {
  /** A client that the application made and connects, e.g. a `PageClient`. */
  readonly client: Client;
}

interface GivenUrl {
  /** The URL to which the provider connects a client of its own while it is mounted. A page may give a path. */
  readonly url: string;
  /** Only those of the first render count. */
  readonly options?: ClientOptions | undefined;
}

export type SluiceProviderProps = (GivenClient | GivenUrl) & { readonly children?: ReactNode };

/** Gives the client to all hooks below it. On a server nothing connects, and hooks return their initial values. */
export function SluiceProvider(props: SluiceProviderProps): ReactNode {
  return 'client' in props ? (
    <ClientContext.Provider value={props.client}>{props.children}</ClientContext.Provider>
  ) : (
    <OwnClient key={props.url} url={props.url} options={props.options}>
      {props.children}
    </OwnClient>
  );
}

function OwnClient({ url, options, children }: GivenUrl & { readonly children?: ReactNode }): ReactNode {
  const [client] = useState(() => (isPage() ? new SluiceClient(url, options) : undefined));
  useEffect(() => {
    // Failures are told by the state and the event `error`.
    client?.connect().catch(() => undefined);
    return () => client?.close();
  }, [client]);
  return <ClientContext.Provider value={client}>{children}</ClientContext.Provider>;
}

/** False while a server renders: there nothing can connect. */
function isPage(): boolean {
  return typeof document !== 'undefined';
}

/** The client of the provider; undefined while a server renders. Throws outside of a provider. */
export function useClient(): Client | undefined {
  const client = useContext(ClientContext);
  if (client === undefined && isPage()) throw new Error('This hook needs a <SluiceProvider> above it.');
  return client;
}
