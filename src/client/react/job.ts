import type { StateMap } from '../index.ts';
import { useTopicState } from './hooks.ts';

/** The last report of a job, as `PUT /api/jobs/{id}` publishes it. */
export interface Job {
  readonly job_id: string;
  /** Percent. */
  readonly progress: number;
  readonly status: string;
  readonly current_step?: string;
  readonly error?: string;
  readonly details?: unknown;
  readonly timestamp: string;
}

export interface JobView {
  /** Undefined before the first report. */
  readonly job: Job | undefined;
  /** It is completed or has failed. */
  readonly ended: boolean;
}

/** The progress of a job; `undefined`: of no job. */
export function useJob(id: string | null | undefined): JobView {
  const topic = id == null ? undefined : `job:${id}`;
  const job = useTopicState<Job, Job | undefined>(topic, newest);
  return { job, ended: job?.status === 'completed' || job?.status === 'error' };
}

function newest(entries: StateMap<Job>): Job | undefined {
  return entries.get('')?.data;
}
