import type { Mode, OffsetRange, TopicResult } from '../protocol/frames.ts';
import type { Topic } from '../topics/topic.ts';
import type { Start } from './start-topic.ts';

/**
 * Where a subscriber of a pattern starts in one of its topics. A thousand of them live until their reply is encoded. As
 * object literals V8 would make them in the old generation, where they stay until it is collected (`bench -- siege`).
 */
export class ListedTopic implements TopicResult {
  readonly topic: string;
  readonly epoch: string;
  readonly offset: number;
  readonly mode: Mode;
  readonly recovered: boolean | undefined;
  readonly missing: OffsetRange | undefined;

  constructor({ name, options }: Topic, { epoch, position, recovered, missing }: Start) {
    this.topic = name;
    this.epoch = epoch;
    this.offset = position;
    this.mode = options.mode;
    this.recovered = recovered;
    this.missing = missing;
  }
}
