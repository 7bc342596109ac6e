import { z } from 'zod';
import { type ErrorCode, errorTable } from '../errors.ts';
import { jsonText } from './http.ts';
import { get, type Route, type RouteBody } from './route.ts';
import { components } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

const schemaPath = (id: string) => `#/components/schemas/${id}`;

/**
 * `GET /openapi.json`, which describes itself too. The document takes milliseconds to build, which no client is to be
 * charged for: it is built at once.
 */
export function openapiRoute(routes: readonly Route[], version: string): Route {
  const self: Route = get('/openapi.json', {
    summary: 'This document.',
    access: 'none',
    response: z.looseObject({ openapi: z.string() }),
    handle: () => jsonText(200, text),
  });
  const text = JSON.stringify(openapiDocument([...routes, self], version));
  return self;
}

/** OpenAPI 3.1, from the schemas that requests are validated with. */
function openapiDocument(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const each of routes) {
    paths[each.path] = { ...paths[each.path], [each.method.toLowerCase()]: operation(each) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sluice', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or a JSON Web Token.' },
      },
    },
  };
}

function operation(each: Route): Json {
  return {
    operationId: `${each.method.toLowerCase()}${each.path.replace(/[^A-Za-z0-9]+(.)?/g, (_, letter?: string) => letter?.toUpperCase() ?? '')}`,
    summary: each.summary,
    parameters: [...parameters(each.params, 'path'), ...parameters(each.query, 'query')],
    ...(each.body === undefined ? {} : { requestBody: requestBody(each.body) }),
    responses: {
      200: { description: 'OK', content: responseContent(each.response) },
      ...errorResponses(each),
    },
    security: each.access === 'none' ? [] : [{ apiKey: [] }, { bearer: [] }],
    ...(each.access === 'none' ? {} : { 'x-sluice-scope': each.access }),
  };
}

/** `io`: parameters are described as what they mean ("an integer"), not as the text that they are sent as. */
function parameters(schema: z.ZodObject | undefined, place: 'path' | 'query'): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output' });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...described } = property as Json;
    return { name, in: place, description, required: place === 'path', schema: described };
  });
}

function requestBody({ mediaTypes, optional, schema }: RouteBody): Json {
  const content = mediaTypes.map((type) => [type, { schema: reference(schema) }]);
  return { required: optional !== true, content: Object.fromEntries(content) };
}

function responseContent(response: z.ZodType | string): Json {
  if (typeof response === 'string') return { [response]: { schema: { type: 'string' } } };
  return { 'application/json': { schema: reference(response) } };
}

function reference(schema: z.ZodType): Json {
  const id = components.get(schema)?.id;
  if (id !== undefined) return { $ref: schemaPath(id) };
  const { $schema: _dialect, ...inline } = z.toJSONSchema(schema, { io: 'input' });
  return inline;
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(components, { uri: schemaPath, io: 'input' });
  const plain = Object.entries(schemas).map(([id, { $schema: _dialect, $id: _id, ...schema }]) => [
    id,
    schema,
  ]);
  return Object.fromEntries(plain) as Json;
}

/** Grouped by status, as OpenAPI wants them. */
function errorResponses(each: Route): Json {
  const codes = [...new Set(errorsOf(each))];
  const statuses = [...new Set(codes.map((code) => errorTable[code].http))];
  const content = { 'application/json': { schema: { $ref: schemaPath('ErrorResponse') } } };
  return Object.fromEntries(
    statuses.map((status) => {
      const causes = codes.filter((code) => errorTable[code].http === status);
      const sentences = causes.map((code) => `\`${code}\`: ${errorTable[code].summary}`);
      return [status, { description: sentences.join('\n\n'), content }];
    }),
  );
}

/** Faults of authentication, without those of pages, which only upgrades and preflights refuse. */
const authCodes = (Object.keys(errorTable) as ErrorCode[]).filter(
  (code) => errorTable[code].auth !== undefined && code !== 'origin_not_allowed',
);

/** What the table says, and what follows from the shape of the route. */
function errorsOf(each: Route): readonly ErrorCode[] {
  const guarded = each.access !== 'none';
  return [
    ...(each.errors ?? []),
    ...(each.params || each.query || each.body ? (['invalid_request'] as const) : []),
    ...(each.body ? (['frame_too_large', 'unsupported_media_type'] as const) : []),
    ...(guarded ? authCodes : []),
    'internal',
  ];
}
