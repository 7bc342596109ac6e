import { Feed, type View } from '../fanout/view.ts';
import type { Topic } from '../topics/topic.ts';

/** The view's feed of the topic. A pattern has none of a quiet topic; then a new one says the same. */
export function feedOf(view: View, topic: Topic): Feed {
  return view.feedOf(topic) ?? new Feed(view, topic);
}
