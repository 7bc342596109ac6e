import { expect, test } from 'vitest';
import { peers, rawBatch, rawEach, type Subject } from '../../bench/trials/subject.ts';
import { topicNames, trial, withLoad } from '../../bench/trials/trial.ts';

const connections = 5;
const subjects: readonly Subject[] = [rawEach, rawBatch, ...peers];
const topics = topicNames(1);

test.concurrent.each(subjects.map((subject) => [subject.name, subject] as const))(
  '%s: every connection counts every message',
  async (_, subject) => {
    const bytes = 100;
    const { lost, sent, received } = await withLoad(
      subject,
      { topics, messageBytes: bytes, connections, probes: 1 },
      ({ worker, receivers }) =>
        trial({
          pid: worker.pid,
          receivers,
          publish: (job) => worker.call('publish', job),
          receiversEach: connections,
          job: { topics, rate: 100, seconds: 0.2, bytes },
          warmUpSeconds: 0.1,
        }),
    );
    expect(sent).toBe(20);
    expect(lost).toBe(0);
    expect(received.latency.count).toBe(sent);
  },
);
