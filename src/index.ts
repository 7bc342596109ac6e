/** The gateway as a library: build a configuration, start a server, publish in process through its broker. */

export { type Config, ConfigError, loadConfig } from './config.ts';
export { SluiceError } from './errors.ts';
export type { Payload, PublishFields } from './protocol/frames.ts';
export { type RunningServer, type ServerOptions, startServer } from './server.ts';
