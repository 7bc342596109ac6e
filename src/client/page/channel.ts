/** Carries structured clones to all other channels of the same name. */
export interface Channel {
  /** Does nothing once the channel is closed: what was under way then has no one to reach. */
  post(message: unknown): void;
  close(): void;
}

export type OpenChannel = (name: string, receive: (message: unknown) => void) => Channel;

export const openBroadcastChannel: OpenChannel = (name, receive) => {
  const channel = new BroadcastChannel(name);
  let isOpen = true;
  channel.onmessage = ({ data }) => receive(data);
  return {
    post: (message) => {
      // The browser's own throws, also in the midst of an application's `close()`.
      if (isOpen) channel.postMessage(message);
    },
    close: () => {
      isOpen = false;
      channel.close();
    },
  };
};
