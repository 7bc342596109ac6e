import type { Route } from './route.ts';

/** The routes of one path, by method. GET serves HEAD too. */
export interface Place {
  readonly path: string;
  readonly byMethod: ReadonlyMap<string, Route>;
  /** For `Allow`: "GET, HEAD, OPTIONS". */
  readonly allow: string;
}

export interface Match {
  readonly place: Place;
  /** Still percent-encoded. */
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly place: Place;
  /** The parameter's name where the segment is one. */
  readonly segments: readonly { readonly text: string; readonly name: string | undefined }[];
}

const noParams = Object.freeze({});

/** Finds the place of a path. Paths without parameters win over patterns, and need one lookup. */
export function matcher(routes: readonly Route[]): (path: string) => Match | undefined {
  const fixed = new Map<string, Match>();
  const patterns: Pattern[] = [];
  for (const place of placesOf(routes)) {
    if (place.path.includes('{')) patterns.push({ place, segments: place.path.split('/').map(segmentOf) });
    else fixed.set(place.path, { place, params: noParams });
  }
  return (path) => fixed.get(path) ?? matchPattern(patterns, path.split('/'));
}

function placesOf(routes: readonly Route[]): Place[] {
  const paths = [...new Set(routes.map(({ path }) => path))];
  return paths.map((path) => {
    const byMethod = new Map<string, Route>();
    for (const route of routes) {
      if (route.path !== path) continue;
      byMethod.set(route.method, route);
      if (route.method === 'GET' && route.isStream !== true) byMethod.set('HEAD', route);
    }
    return { path, byMethod, allow: [...byMethod.keys(), 'OPTIONS'].join(', ') };
  });
}

function segmentOf(text: string): Pattern['segments'][number] {
  return { text, name: /^\{(\w+)\}$/.exec(text)?.[1] };
}

function matchPattern(patterns: readonly Pattern[], path: readonly string[]): Match | undefined {
  for (const { place, segments } of patterns) {
    if (segments.length !== path.length) continue;
    const params: Record<string, string> = {};
    const fits = segments.every(({ text, name }, index) => {
      const segment = path[index]!;
      if (name === undefined) return segment === text;
      params[name] = segment;
      return segment !== '';
    });
    if (fits) return { place, params };
  }
  return undefined;
}
