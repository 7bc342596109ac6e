import type { Fields } from '../protocol/fields.ts';
import type { Filter, Subscription } from '../protocol/frames.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { timeOf } from './codec.ts';
import { heartbeats, nameIn, quietEnd, type Wire, type WireOptions } from './wire.ts';

/** Accepted names of members, in `data` or in the message itself: the system's own, and common variants. */
const members = {
  servers: ['server_ids', 'server_id', 'serverIds', 'serverId', 'servers'],
  types: ['monitoring_types', 'monitoring_type', 'monitoringTypes', 'monitoringType', 'types'],
  levels: ['alert_levels', 'alert_level', 'alertLevels', 'alertLevel', 'levels'],
} as const;

/** The tags of a publication that its subscribers filter by. */
export const monitoringTags = { type: 'type', level: 'level' } as const;

/** System A: monitoring of servers, whose topics are `server:{id}`. */
export function serverMonitoring({ namespace, now }: WireOptions): Wire {
  const topicsOf = (fields: Fields) => {
    const ids = texts(fields, members.servers);
    // A pattern would subscribe to all servers with that prefix.
    if (ids.some((id) => id.endsWith('*')))
      fields.fail(members.servers[0], 'must not be a pattern', 'invalid_topic');
    return ids.map((id) => `${namespace}:${id}`);
  };
  return {
    commands: {
      ...heartbeats,
      subscribe: (fields) => {
        const filter = filterOf(fields);
        const topics = topicsOf(fields);
        const all = topics.length === 0 ? [`${namespace}:*`] : topics;
        const subscriptions = [...new Set(all)].map(
          // A client without offsets can't detect duplicates, so a new filter of a server replaces the older one.
          (topic): Subscription => ({ topic, filter, replaces: true }),
        );
        return { kind: 'subscribe', subscriptions };
      },
      unsubscribe: (fields) => {
        const topics = topicsOf(fields);
        const ended = topics.length === 0 ? { prefix: `${namespace}:` } : { topics };
        return { kind: 'unsubscribe', ...ended, encodeReply: quietEnd };
      },
    },
    words: { pong: () => ({ type: 'pong', data: {}, timestamp: now() }) },
    error: ({ code, message }) => ({ type: 'error', data: { code, message }, timestamp: now() }),
    publication: (topic, publication) => ({
      before: {
        type: publication.type,
        server_id: nameIn(namespace, topic),
        monitoring_type: publication.tags?.[monitoringTags.type],
        alert_level: publication.tags?.[monitoringTags.level],
      },
      payload: 'data',
      after: { timestamp: timeOf(publication) },
    }),
  };
}

/** All given conditions must match. */
function filterOf(fields: Fields): Filter | undefined {
  const filters: Filter[] = [];
  const types = texts(fields, members.types);
  const levels = texts(fields, members.levels);
  if (types.length > 0) filters.push({ op: 'in', tag: monitoringTags.type, values: types });
  if (levels.length > 0) filters.push({ op: 'in', tag: monitoringTags.level, values: levels });
  return filters.length > 1 ? { op: 'and', filters } : filters[0];
}

/** The values of all these members, in `data` and beside it: texts, numbers, or lists of them. */
function texts(fields: Fields, names: readonly string[]): string[] {
  const data = fields.optionalChild('data', (inner) => inner);
  return [data, fields].flatMap((place) => (place === undefined ? [] : textsIn(place, names)));
}

function textsIn(place: Fields, names: readonly string[]): string[] {
  const { raw, bounds } = place;
  return names.flatMap((name) => {
    const value = raw[name] ?? [];
    const all: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (all.length > bounds.list) place.fail(name, `may have ${bounds.list} entries at most`);
    return all.slice(0, bounds.list).map((each) => {
      if (typeof each === 'number' && Number.isSafeInteger(each)) return String(each);
      const isText = typeof each === 'string' && each !== '' && each.length <= bounds.text;
      if (isText && isWellFormed(each)) return each;
      place.fail(name, `must be texts of 1 to ${bounds.text} characters`);
      return '';
    });
  });
}
