/** The messages between nodes: name -> (body) => answer. */
export type CallTable<C> = { readonly [N in keyof C]: (body: never) => unknown };

/**
 * The other nodes: workers of this machine, or machines that share the engine. Messages of one node arrive in the order
 * in which it sent them.
 */
export interface OtherNodes<C extends CallTable<C>> {
  /** Sends a message to all other nodes. */
  tell<N extends keyof C & string>(name: N, body: Parameters<C[N]>[0]): void;
  /** Asks all others. Resolves with the replies of those that reply; never rejects. */
  ask<N extends keyof C & string>(
    name: N,
    body: Parameters<C[N]>[0],
  ): Promise<readonly Awaited<ReturnType<C[N]>>[]>;
}

/** What a node does when it is told or asked by another one. */
export type NodeHandlers<C extends CallTable<C>> = {
  readonly [N in keyof C]: (
    body: Parameters<C[N]>[0],
    /** The name of the node that says it. */
    from: string,
  ) => ReturnType<C[N]> | Promise<Awaited<ReturnType<C[N]>>>;
};
