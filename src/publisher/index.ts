/** Publishes to a gateway from Node. Loads nothing but Node's own modules. */

export type { Broadcasts, RuleChange } from './broadcasts.ts';
export type { EventSource, Route, Routes } from './forward.ts';
export type { PublisherOptions } from './options.ts';
export type { PublicationInput, PublicationOptions, Published } from './publication.ts';
export { PublishError } from './publish-error.ts';
export { type JobReport, Publisher, type UserMessage, type UserPublished } from './publisher.ts';
