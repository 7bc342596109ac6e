import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { type Client, type ClientOptions, SluiceClient } from '../index.ts';

const ClientContext = createContext<Client | undefined>(undefined);

interface GivenClient {
  /** One that the application made and connects, e.g. a `PageClient`. */
  readonly client: Client;
}

interface GivenUrl {
  /** Where the provider's own client connects while it is mounted. A page may give a path. */
  readonly url: string;
  /** Of the first render. */
  readonly options?: ClientOptions;
}

export type SluiceProviderProps = (GivenClient | GivenUrl) & { readonly children?: ReactNode };

/** Gives the client to all hooks below it. On a server nothing connects, and hooks have nothing yet. */
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
    // How it ends, the state and the event `error` tell.
    client?.connect().catch(() => undefined);
    return () => client?.close();
  }, [client]);
  return <ClientContext.Provider value={client}>{children}</ClientContext.Provider>;
}

/** Whether there is a page, in which the client can connect: not while a server renders. */
function isPage(): boolean {
  return typeof document !== 'undefined';
}

/** The client of the provider; undefined while a server renders. Throws outside of a provider. */
export function useClient(): Client | undefined {
  const client = useContext(ClientContext);
  if (client === undefined && isPage()) throw new Error('This hook needs a <SluiceProvider> above it.');
  return client;
}
