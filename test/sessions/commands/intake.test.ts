import { describe, expect, test } from 'vitest';
import { Intake, smallMessageBytes } from '../../../src/sessions/commands/intake.ts';
import { HeldByPayers } from '../../../src/sessions/limits/charges.ts';
import { TurnBudget } from '../../../src/sessions/limits/turn-budget.ts';
import type { Session } from '../../../src/sessions/session.ts';
import { FakeTurns } from '../../fanout/fixtures.ts';

function makeIntake(limits = { perPayer: 100_000, total: 1_000_000 }) {
  const turns = new FakeTurns();
  const turnBudget = new TurnBudget(turns, 5);
  const held = new HeldByPayers(limits);
  const taken: string[] = [];
  const turn = { isLong: false };
  const intake = new Intake({
    turnBudget,
    turn,
    held,
    take: (session, message, _, lasts) =>
      taken.push(
        `${session.payer.account} ${String.fromCharCode(message[0] as number)}${lasts ? ' lasts' : ''}`,
      ),
  });
  const session = (account: string, more: object = { isVerified: true }) =>
    ({ payer: { account, ...more }, isClosed: false }) as unknown as Session;
  const large = (letter: string) => new Uint8Array(smallMessageBytes + 1).fill(letter.charCodeAt(0));
  const small = (letter: string) => new Uint8Array(smallMessageBytes).fill(letter.charCodeAt(0));
  /** This turn has no time left. */
  const busy = () => turnBudget.run(() => turns.advance(5));
  return { turns, turn, held, taken, intake, session, large, small, busy };
}

describe('messages', () => {
  test('are taken at once where the turn has time for it', () => {
    const { intake, taken, session, large, small } = makeIntake();
    const a = session('a');
    for (const message of [large('1'), small('2'), large('3')]) intake.receive(a, message, true);
    expect(taken).toEqual(['a 1', 'a 2', 'a 3']);
  });

  test('that are small are taken at once in any case, and large ones wait, as copies that last', () => {
    const { intake, taken, session, large, small, busy, turns, held } = makeIntake();
    busy();
    const message = large('1');
    expect(intake.receive(session('a'), message, true)).toBe(true);
    message.fill(0);
    intake.receive(session('b'), small('2'), true);
    expect([taken, held.total]).toEqual([['b 2'], smallMessageBytes + 1]);
    turns.settle();
    expect([taken, held.total]).toEqual([['b 2', 'a 1 lasts'], 0]);
  });

  test('that are small wait in a long turn, too, of each client in their order', () => {
    const { intake, taken, session, small, turn, turns, held } = makeIntake();
    const [a, b] = [session('a'), session('b')];
    intake.receive(a, small('1'), true);
    turn.isLong = true;
    for (const message of [small('2'), small('3')]) intake.receive(a, message, true);
    intake.receive(b, small('4'), true);
    expect([taken, held.total]).toEqual([['a 1'], 3 * smallMessageBytes]);
    turn.isLong = false;
    intake.receive(a, small('5'), true);
    turns.settle();
    expect(taken.filter((each) => each.startsWith('a'))).toEqual([
      'a 1',
      'a 2 lasts',
      'a 3 lasts',
      'a 5 lasts',
    ]);
    expect([taken.length, held.total]).toEqual([5, 0]);
  });

  test('of one session are taken in their order, small ones after the large one before', () => {
    const { intake, taken, session, large, small, busy, turns } = makeIntake();
    busy();
    const a = session('a');
    for (const message of [large('1'), small('2'), large('3'), small('4')]) intake.receive(a, message, true);
    turns.settle();
    expect(taken).toEqual(['a 1 lasts', 'a 2 lasts', 'a 3 lasts', 'a 4 lasts']);
  });

  test('are refused above what their payer may have waiting, and no other’s are', () => {
    const { intake, session, large, busy } = makeIntake({
      perPayer: 2 * (smallMessageBytes + 1),
      total: 20_000,
    });
    busy();
    const a = session('a');
    expect([1, 2, 3].map(() => intake.receive(a, large('1'), true))).toEqual([true, true, false]);
    expect(intake.receive(session('b'), large('1'), true)).toBe(true);
  });

  test('of unverified sessions of one address are refused above a quarter of all, and no other’s are', () => {
    const { intake, session, large, busy, turns } = makeIntake({
      perPayer: smallMessageBytes + 1,
      total: 8 * (smallMessageBytes + 1),
    });
    busy();
    const at = (account: string, address: string) => session(account, { address, isVerified: false });
    const receive = (sender: Session) => intake.receive(sender, large('1'), true);
    const ofOne = () => ['a', 'b', 'c'].map((account) => receive(at(account, 'one')));
    expect(ofOne()).toEqual([true, true, false]);
    expect(receive(at('d', 'two'))).toBe(true);
    expect(['e', 'f', 'g'].map((user) => receive(session(user)))).toEqual([true, true, true]);
    turns.settle();
    busy();
    expect(ofOne()).toEqual([true, true, false]);
  });

  test('of a session that has ended are dropped, and charged no more', () => {
    const { intake, taken, session, large, busy, turns, held } = makeIntake();
    busy();
    const a = session('a');
    for (const letter of ['1', '2']) intake.receive(a, large(letter), true);
    Object.assign(a, { isClosed: true });
    turns.settle();
    expect([taken, held.total]).toEqual([[], 0]);
  });
});
