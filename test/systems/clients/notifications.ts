import { OldClient } from './old-client.ts';

/** System D: the bell of the knowledge platform. */
export class NotificationBell extends OldClient {
  unread = 0;

  static async open(base: string, user: string, token: string): Promise<NotificationBell> {
    const path = `/api/v1/ws/${encodeURIComponent(user)}`;
    const bell = await new NotificationBell(`${base}${path}?token=${token}`).opened();
    bell.socket.on('message', (text) => {
      if (JSON.parse(text.toString()).type === 'notification') bell.unread++;
    });
    return bell;
  }

  /** The old gateway did not confirm it: stats, which come after it, do. */
  enter(room: string) {
    this.send({ type: 'room_subscribe', room });
    return this.ask({ type: 'stats' }, 'stats');
  }

  leave(room: string) {
    this.send({ type: 'room_unsubscribe', room });
    return this.ask({ type: 'stats' }, 'stats');
  }
}
