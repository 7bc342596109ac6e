import { aliasesIn } from '../protocol/json/aliases.ts';
import { timeOf } from './codec.ts';
import { heartbeats, nameIn, quietEnd, type Wire, type WireOptions } from './wire.ts';

/** System E: the progress of jobs (`job:{id}`). A room `job_{id}` there is that topic. */
export function jobProgress({ namespace, now }: WireOptions): Wire {
  const { join_job, leave_job } = aliasesIn({ rooms: 'room', jobs: namespace });
  return {
    commands: {
      ...heartbeats,
      join_job,
      leave_job: (fields) => ({ ...leave_job(fields), encodeReply: quietEnd }),
    },
    words: { pong: () => ({ type: 'pong', timestamp: now() }) },
    error: ({ code, message }) => ({ type: 'error', code, message, timestamp: now() }),
    publication: (topic, publication) => ({
      before: { type: publication.type },
      payload: 'members',
      after: { job_id: nameIn(namespace, topic), timestamp: timeOf(publication) },
    }),
  };
}
