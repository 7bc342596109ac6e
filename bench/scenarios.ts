import type { Scenario } from './support/scenario.ts';

export interface Entry {
  readonly sentence: string;
  readonly load: () => Promise<{ readonly default: Scenario }>;
}

/** Each scenario is a file of this folder, loaded on demand. `claims` runs some of them and is listed in run.ts. */
export const scenarios: Readonly<Record<string, Entry>> = {
  targets: {
    sentence: 'Loads the gateway as it ships, and checks the targets by its own /metrics and from outside.',
    load: () => import('./targets.ts'),
  },
  fanout: {
    sentence: 'CPU, latency and deliveries to 1000 connections on one topic, beside raw uWebSockets.js.',
    load: () => import('./fanout.ts'),
  },
  sse: {
    sentence: 'Streams of Server-Sent Events beside as many WebSockets of the JSON codec: CPU and latency.',
    load: () => import('./sse.ts'),
  },
  saturation: {
    sentence: 'The most deliveries per second to 1000 connections, beside raw uWS, ws and socket.io.',
    load: () => import('./saturation.ts'),
  },
  unicast: {
    sentence:
      '1000 topics with one subscriber each: CPU at a fixed rate, and the most publications per second.',
    load: () => import('./unicast.ts'),
  },
  filters: {
    sentence: '10 filters for 100 clients each that all match, beside none: what distinct views cost.',
    load: () => import('./filters.ts'),
  },
  compression: {
    sentence: 'Bytes per delivery and CPU per publication of a recorded trace of metrics.',
    load: () => import('./compression.ts'),
  },
  storm: {
    sentence: 'Connections per second, each with a token and a subscription, beside raw uWS without a token.',
    load: () => import('./storm.ts'),
  },
  handshakes: {
    sentence:
      'Handshakes per second with tokens that the gateway has not seen before, beside those without one.',
    load: () => import('./handshakes.ts'),
  },
  hooks: {
    sentence: 'CPU of a publish and of a connection with hooks switched off, beside the code without them.',
    load: () => import('./hooks.ts'),
  },
  recovery: {
    sentence: '1000 clients that missed 500 publications each come back at once; latency of the others.',
    load: () => import('./recovery.ts'),
  },
  stalled: {
    sentence: '100 of 1000 clients stop reading: latency of the others, memory, and how the 100 come back.',
    load: () => import('./stalled.ts'),
  },
  idle: {
    sentence: 'CPU that the heartbeats of 10 000 connections take, beside raw uWS.',
    load: () => import('./idle.ts'),
  },
  memory: {
    sentence: 'Bytes per idle connection with 0 to 100 topics, beside raw uWS, and per stored publication.',
    load: () => import('./memory.ts'),
  },
  http: {
    sentence: 'autocannon on POST /api/publish, single and batch, beside a raw uWebSockets.js handler.',
    load: () => import('./http.ts'),
  },
  engines: {
    sentence: 'Appends per second of each engine, with 1, 10 and 100 publishers.',
    load: () => import('./engines.ts'),
  },
  cluster: {
    sentence: 'Two nodes on one Redis beside one in memory, socket.io and a bare channel: latency and costs.',
    load: () => import('./cluster.ts'),
  },
  workers: {
    sentence: 'Two processes on one port beside one: CPU of a delivery, and how clients spread.',
    load: () => import('./workers.ts'),
  },
  faults: {
    sentence: 'Cuts connections, stalls clients and kills the gateway, and accounts for every publication.',
    load: () => import('./faults.ts'),
  },
  state: {
    sentence:
      'State topics under cuts, stalls and kills, by all transports, filters, intervals and patterns: what each client shows in the end.',
    load: () => import('./state.ts'),
  },
  siege: {
    sentence:
      'Attacks by clients without a credential or with the poorest token, and a storm of 20 000 handshakes: pong and room of others, RSS.',
    load: () => import('./siege.ts'),
  },
  drain: {
    sentence:
      'SIGTERM to a gateway with 1000 clients, and a restart: what they lack, and how they come back.',
    load: () => import('./drain.ts'),
  },
  rolling: {
    sentence: 'Three gateways on one Redis, behind HAProxy, are restarted in turn: what their clients lack.',
    load: () => import('./rolling.ts'),
  },
  fuzz: {
    sentence: 'A million faulty frames of each codec and 100 000 faulty requests: all replied to or closed.',
    load: () => import('./fuzz.ts'),
  },
  soak: {
    sentence:
      'Clients of all transports come and go for an hour: memory, and what is left when they are gone.',
    load: () => import('./soak.ts'),
  },
  crash: {
    sentence: 'Kills publishers to the engine lmdb again and again, and looks at what is stored.',
    load: () => import('./crash.ts'),
  },
  record: {
    sentence: 'Records this machine’s metrics as the trace that compression is measured with.',
    load: () => import('./record.ts'),
  },
};
