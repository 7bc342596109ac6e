// @vitest-environment jsdom

import { act, cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import type { Client, PresenceMember, Subscription } from '../../../src/client/index.ts';
import {
  SluiceProvider,
  useJob,
  useLatest,
  usePresence,
  useRecent,
  useTopic,
  useTopicState,
  useTopics,
} from '../../../src/client/react/index.ts';

afterEach(cleanup);

/** A client with one subscription, whose questions are replied to when the test says so. */
class Room {
  readonly listeners = new Map<string, ((...args: never[]) => void)[]>();
  readonly replies: ((members: readonly PresenceMember[]) => void)[] = [];
  readonly subscription = {
    topic: 'room',
    state: 'live',
    error: undefined,
    on: (event: string, listener: (...args: never[]) => void) => {
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
      return () => undefined;
    },
    unsubscribe: () => undefined,
  } as unknown as Subscription;
  readonly client = {
    subscribe: () => this.subscription,
    presence: () =>
      new Promise((resolve) => {
        this.replies.push((members) => resolve({ topic: 'room', members, count: members.length }));
      }),
  } as unknown as Client;

  async tell(event: 'joined' | 'left', session: string): Promise<void> {
    await act(async () => {
      for (const listener of this.listeners.get(event) ?? [])
        (listener as (member: object) => void)({ session });
    });
  }

  async publish(offset: number): Promise<void> {
    await act(async () => {
      for (const listener of this.listeners.get('publication') ?? [])
        (listener as (publication: object) => void)({ offset });
    });
  }

  async reply(...sessions: string[]): Promise<void> {
    const members = sessions.map((session) => ({ session, user: undefined, sinceMs: 0 }));
    await act(async () => this.replies.shift()?.(members));
  }
}

function Present() {
  const { members } = usePresence('room');
  return <p data-testid="shown">{members.map(({ session }) => session).join(' ')}</p>;
}

function Recent({ count }: { readonly count: number }) {
  return <p data-testid="shown">{useRecent('room', count).map(({ offset }) => offset)}</p>;
}

function open(page = <Present />): Room {
  const room = new Room();
  render(<SluiceProvider client={room.client}>{page}</SluiceProvider>);
  return room;
}

const shown = () => screen.getByTestId('shown').textContent;

it('usePresence asks once while many join, as after a restart of the gateway', async () => {
  const room = open();
  for (let i = 0; i < 50; i++) await room.tell('joined', `s${i}`);
  expect(room.replies).toHaveLength(1);
});

it('usePresence keeps what changed while it asked, whether the reply is older or newer', async () => {
  const room = open();
  await room.tell('joined', 'new');
  await room.tell('left', 'gone');
  await room.reply('old', 'gone');
  expect(shown()).toBe('old new');
  await room.tell('left', 'old');
  expect(shown()).toBe('new');
});

it.each([
  [2, '23'],
  [0, ''],
])('useRecent keeps %d', async (count, kept) => {
  const room = open(<Recent count={count} />);
  for (const offset of [1, 2, 3]) await room.publish(offset);
  expect(shown()).toBe(kept);
});

it('hooks subscribe to nothing where their topic is null or undefined', () => {
  const client = {
    subscribe: () => {
      throw new Error('subscribed');
    },
    getStatus: () => ({ state: 'idle' }),
    on: () => () => undefined,
  } as unknown as Client;
  function None({ topic }: { readonly topic: null | undefined }) {
    const values = [
      useLatest(topic),
      useRecent(topic, 3).length,
      useTopicState(topic, (entries) => entries.size),
      useTopics(topic, (topics) => topics.size),
      usePresence(topic).members.length,
      useTopic(topic).state,
      useJob(topic).job,
    ];
    return <p data-testid="shown">{values.join(' ')}</p>;
  }
  for (const topic of [null, undefined]) {
    const { unmount } = render(
      <SluiceProvider client={client}>
        <None topic={topic} />
      </SluiceProvider>,
    );
    expect(shown()).toBe(' 0 0 0 0 pending ');
    unmount();
  }
});
