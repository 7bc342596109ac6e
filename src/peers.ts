/** What a node may tell or ask the others: name -> what it says, and what it gets back. */
export type PeerCalls<C> = { readonly [N in keyof C]: (body: never) => unknown };

/**
 * The other nodes of a gateway that has several: workers of one machine, or machines that share an engine. What is told
 * by one node arrives in the order in which it was told.
 */
export interface Peers<C extends PeerCalls<C>> {
  /** Tells all others. */
  tell<N extends keyof C & string>(name: N, body: Parameters<C[N]>[0]): void;
  /** Asks all others. Resolves with the replies of those that reply; never rejects. */
  ask<N extends keyof C & string>(
    name: N,
    body: Parameters<C[N]>[0],
  ): Promise<readonly Awaited<ReturnType<C[N]>>[]>;
}

/** What a node does when it is told or asked by another one. */
export type PeerHandlers<C extends PeerCalls<C>> = {
  readonly [N in keyof C]: (
    body: Parameters<C[N]>[0],
    /** The name of the node that says it. */
    from: string,
  ) => ReturnType<C[N]> | Promise<Awaited<ReturnType<C[N]>>>;
};
