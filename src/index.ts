/** The gateway as a library. */

export type { ConfiguredKey } from './config/api-keys.ts';
export { ConfigError } from './config.ts';
export { type ErrorCode, SluiceError } from './errors.ts';
export type {
  DisconnectEvent,
  GatewayEventName,
  GatewayEvents,
  GatewayListener,
  SessionEvent,
  SubscribeEvent,
  UnsubscribeEvent,
} from './gateway/events.ts';
export type { GatewayOptions } from './gateway/options.ts';
export { createGateway, type EmbeddedOptions, type Gateway, type PublishOutcome } from './gateway.ts';
export type {
  CallAnswer,
  CallHandler,
  CallQuestion,
  ConnectConsent,
  ConnectQuestion,
  Denial,
  HookClient,
  Hooks,
  PublishConsent,
  PublishQuestion,
  SubscribeConsent,
  SubscribeQuestion,
} from './hooks/contract.ts';
export type { PublicationInput, PublicationOptions, Published } from './publisher/publication.ts';
export type { Addresses } from './server/addresses.ts';
