import { serveCalls } from '../support/worker.ts';
import { readJournal } from './journal.ts';
import { Published } from './published.ts';
import { emptyTally, Replay, type Tally } from './replay.ts';

/** Compares what was acknowledged with what every client wrote down. */

export interface Verdict {
  readonly acknowledged: number;
  readonly doubled: number;
  readonly epochs: number;
  readonly tally: Tally;
  readonly clients: number;
  readonly problems: readonly string[];
}

const namedProblems = 20;

function compare({ publisher, clients }: { publisher: string; clients: readonly string[] }): Verdict {
  const published = new Published(publisher);
  const tally = emptyTally();
  const problems: string[] = [];
  const complain = (problem: string): void => {
    if (problems.length < namedProblems) problems.push(problem);
  };
  const replays = new Map<number, Replay>();
  for (const path of clients) {
    for (const record of readJournal(path)) {
      let replay = replays.get(record.who);
      if (replay === undefined) {
        replay = new Replay(record.who, published, tally, complain);
        replays.set(record.who, replay);
      }
      replay.read(record);
    }
  }
  for (const replay of replays.values()) replay.account();
  const epochs = published.byTopic.reduce((sum, byEpoch) => sum + byEpoch.size, 0);
  const { acknowledged, doubled } = published;
  return { acknowledged, doubled, epochs, tally, clients: replays.size, problems };
}

const handlers = { compare };
export type ComparisonCalls = typeof handlers;
serveCalls(handlers);
