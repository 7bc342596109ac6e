import { SluiceError } from '../errors.ts';
import { callApplication } from './application.ts';
import { broadcast } from './broadcast.ts';
import { acknowledge, disconnect, listConnections } from './connections.ts';
import { showJob, updateJob } from './jobs.ts';
import { page } from './pages.ts';
import { ndjson, publish, publishBatch } from './publish.ts';
import * as requests from './request-schemas.ts';
import * as responses from './response-schemas.ts';
import { get, post, put, type Route } from './route.ts';
import { showHealth, showMetrics, showReadiness, showStats } from './service.ts';
import { pollBody, pollQuery, pollReply, sseBody, sseQuery } from './stream-request.ts';
import { listRevocations, restoreTokens, revokeTokens } from './tokens.ts';
import { listTopics, showHistory, showLatest, showTopic } from './topics.ts';
import { listUserConnections, notifyUser, syncUser } from './users.ts';

const json = 'application/json';
const publishErrors = [
  'invalid_json',
  'invalid_type',
  'payload_too_large',
  'message_id_conflict',
  'too_many_keys',
  'engine_unavailable',
] as const;

/** The client is admitted like one that opens a WebSocket, and permission is checked for each topic. */
function stream(
  make: typeof get,
  path: string,
  spec: Pick<Route, 'summary' | 'query' | 'body' | 'response'>,
): Route {
  return make(path, {
    ...spec,
    access: 'read',
    byToken: true,
    isStream: true,
    errors: ['invalid_topic', 'invalid_filter'],
    handle: () => {
      throw new SluiceError('not_supported', 'the transport serves this route');
    },
  });
}

/**
 * Every route of the HTTP API except the OpenAPI document and the WebSocket. A new route is a new entry:
 * matching, access, validation, metrics and `GET /openapi.json` follow from it.
 */
export const routes: readonly Route[] = [
  post('/api/publish', {
    summary: 'Publish one update. The response is sent once the engine has committed it.',
    access: 'publish',
    byToken: true,
    body: { mediaTypes: [json], schema: requests.publishBody },
    response: responses.published,
    errors: ['invalid_topic', 'too_many_topics', ...publishErrors],
    handle: publish,
  }),
  post('/api/publish/batch', {
    summary: 'Publish many updates, as a JSON array or one per line. Each has its own result.',
    access: 'publish',
    byToken: true,
    body: { mediaTypes: [json, ndjson], schema: requests.batchBody },
    response: responses.batchPublished,
    errors: ['invalid_json'],
    handle: publishBatch,
  }),
  post('/api/broadcast', {
    summary: 'Publish one update to all sessions, or to a list of users and topics. Each has its own result.',
    access: 'publish',
    body: { mediaTypes: [json], schema: requests.broadcastBody },
    response: responses.broadcastResponse,
    errors: publishErrors,
    handle: broadcast,
  }),
  post('/api/users/{user}/notify', {
    summary: 'Publish to all devices of a user, online or not: the topic `user:{user}`.',
    access: 'publish',
    byToken: true,
    params: requests.userParams,
    body: { mediaTypes: [json], schema: requests.notifyBody },
    response: responses.notified,
    errors: ['too_many_topics', ...publishErrors],
    handle: notifyUser,
  }),
  post('/api/users/{user}/sync', {
    summary: 'Publish to all devices of a user except the one with the given session.',
    access: 'publish',
    byToken: true,
    params: requests.userParams,
    body: { mediaTypes: [json], schema: requests.syncBody },
    response: responses.notified,
    errors: ['too_many_topics', ...publishErrors],
    handle: syncUser,
  }),
  get('/api/users/{user}/connections', {
    summary: 'List the open connections of a user, ordered by id. A token may list those of its own user.',
    access: 'read',
    byToken: true,
    params: requests.userParams,
    query: requests.userConnectionsQuery,
    response: responses.connectionList,
    handle: listUserConnections,
  }),
  get('/api/stats', {
    summary: 'Show the main counters.',
    access: 'read',
    response: responses.stats,
    handle: showStats,
  }),
  get('/api/topics', {
    summary:
      'List the topics with content, ordered by name; Sluice’s own only with `?prefix=$`. With a token, `prefix` is required and the token must permit all of it.',
    access: 'read',
    byToken: true,
    query: requests.topicsQuery,
    response: responses.topicList,
    handle: listTopics,
  }),
  get('/api/topics/{topic}', {
    summary: 'Show the state of a topic.',
    access: 'read',
    byToken: true,
    params: requests.topicParams,
    response: responses.topicInfo,
    errors: ['invalid_topic'],
    handle: showTopic,
  }),
  get('/api/topics/{topic}/history', {
    summary: 'Get a page of the history of a topic, oldest first. The topic `$all` has the broadcasts.',
    access: 'read',
    byToken: true,
    params: requests.topicParams,
    query: requests.historyQuery,
    response: responses.historyPage,
    errors: ['invalid_topic', 'engine_unavailable'],
    handle: showHistory,
  }),
  get('/api/topics/{topic}/latest', {
    summary: 'Get the newest publication; in state mode the newest one per key.',
    access: 'read',
    byToken: true,
    params: requests.topicParams,
    query: requests.latestQuery,
    response: responses.latestPage,
    errors: ['invalid_topic', 'engine_unavailable'],
    handle: showLatest,
  }),
  put('/api/jobs/{id}', {
    summary:
      'Report the progress of a job, published to the topic `job:{id}` as `job_progress`, `job_completed` or `job_error`. A repeated report changes nothing. Give other messages of the job a `key`: one without takes the place of the report for those who join later.',
    access: 'publish',
    byToken: true,
    params: requests.jobParams,
    body: { mediaTypes: [json], schema: requests.jobBody },
    response: responses.job,
    errors: ['invalid_topic', 'job_conflict', 'too_many_topics', ...publishErrors],
    handle: updateJob,
  }),
  get('/api/jobs/{id}/status', {
    summary: 'Get the progress of a job, for clients that poll.',
    access: 'read',
    byToken: true,
    params: requests.jobParams,
    response: responses.job,
    errors: ['invalid_topic', 'not_found', 'engine_unavailable'],
    handle: showJob,
  }),
  post('/api/call', {
    summary: 'Send a request to the application and return its answer, as the command `call` does.',
    access: 'read',
    byToken: true,
    body: { mediaTypes: [json], schema: requests.callBody },
    response: responses.called,
    errors: [
      'invalid_json',
      'payload_too_large',
      'denied',
      'not_found',
      'not_supported',
      'application_unavailable',
    ],
    handle: callApplication,
  }),
  get('/api/connections', {
    summary: 'List the open connections, ordered by id.',
    access: 'admin',
    query: requests.connectionsQuery,
    response: responses.connectionList,
    handle: listConnections,
  }),
  post('/api/connections/{id}/disconnect', {
    summary: 'Close a connection. Its client does not reconnect by itself.',
    access: 'admin',
    params: requests.connectionParams,
    body: { mediaTypes: [json], optional: true, schema: requests.emptyBody },
    response: responses.disconnected,
    errors: ['invalid_json', 'not_found'],
    handle: disconnect,
  }),
  post('/api/connections/{id}/acks', {
    summary:
      'Acknowledge positions in views whose `subscribed` said `inbox`, for streams and polls of the same user; at most once a second.',
    access: 'read',
    byToken: true,
    params: requests.connectionParams,
    body: { mediaTypes: [json], schema: requests.acksBody },
    response: responses.acknowledged,
    errors: ['invalid_json', 'not_found'],
    handle: acknowledge,
  }),
  post('/api/tokens/revoke', {
    summary:
      'Revoke a token by its `jti`, or all tokens issued to a user until now. Their connections are closed.',
    access: 'admin',
    body: { mediaTypes: [json], schema: requests.revokeBody },
    response: responses.revoked,
    errors: ['invalid_json', 'too_many_keys', 'engine_unavailable'],
    handle: revokeTokens,
  }),
  post('/api/tokens/restore', {
    summary: 'Undo a revocation.',
    access: 'admin',
    body: { mediaTypes: [json], schema: requests.restoreBody },
    response: responses.restored,
    errors: ['invalid_json', 'not_found', 'engine_unavailable'],
    handle: restoreTokens,
  }),
  get('/api/tokens/revocations', {
    summary: 'List the revocations in effect.',
    access: 'admin',
    response: responses.revocationList,
    handle: listRevocations,
  }),
  stream(get, '/sse', {
    summary: 'Stream topics as Server-Sent Events; resumes by `Last-Event-ID`.',
    query: sseQuery,
    response: 'text/event-stream',
  }),
  stream(post, '/sse', {
    summary: 'The same with the topics in the body, for lists that are too long for a URL.',
    body: { mediaTypes: [json], schema: sseBody },
    response: 'text/event-stream',
  }),
  stream(get, '/poll', {
    summary:
      'Long polling: returns what was published after a cursor as soon as there is something, or 204 after the timeout.',
    query: pollQuery,
    response: pollReply,
  }),
  stream(post, '/poll', {
    summary: 'The same with the topics in the body, for lists that are too long for a URL.',
    body: { mediaTypes: [json], schema: pollBody },
    response: pollReply,
  }),
  get('/metrics', {
    summary: 'Metrics for Prometheus; allowed for keys that may read, and from this machine.',
    access: 'metrics',
    response: 'text/plain',
    handle: showMetrics,
  }),
  get('/healthz', {
    summary: 'The process is alive.',
    access: 'none',
    isProbe: true,
    response: responses.health,
    handle: showHealth,
  }),
  get('/readyz', {
    summary: 'The engine commits and delivers a test publication.',
    access: 'none',
    isProbe: true,
    response: responses.readiness,
    errors: ['engine_unavailable'],
    handle: showReadiness,
  }),
  ...(
    [
      ['/', 'dashboard.html', 'text/html', 'The dashboard.'],
      ['/dashboard.js', 'dashboard.js', 'text/javascript', 'Its script.'],
      ['/dashboard.css', 'dashboard.css', 'text/css', 'Its style.'],
      ['/try', 'try.html', 'text/html', 'A page to try all transports by hand.'],
      ['/try.js', 'try.js', 'text/javascript', 'Its script.'],
      ['/try.css', 'try.css', 'text/css', 'Its style.'],
      ['/client.js', 'client.js', 'text/javascript', 'The browser SDK, as a module.'],
    ] as const
  ).map(([path, file, response, summary]) =>
    get(path, {
      summary,
      access: 'none',
      response,
      errors: ['not_found'],
      handle: page(file),
    }),
  ),
];
