/** Carries structured clones to all other channels of the same name. */
export interface Channel {
  post(message: unknown): void;
  close(): void;
}

export type OpenChannel = (name: string, receive: (message: unknown) => void) => Channel;

export const openBroadcastChannel: OpenChannel = (name, receive) => {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => receive(data);
  return { post: (message) => channel.postMessage(message), close: () => channel.close() };
};
