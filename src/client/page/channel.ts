/** Carries structured clones to all other channels of the same name. */
export interface Channel {
  /** Does nothing once the channel is closed. */
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
      // The browser's own channel throws once it is closed, even within an application's `close()`.
      if (isOpen) channel.postMessage(message);
    },
    close: () => {
      isOpen = false;
      channel.close();
    },
  };
};
