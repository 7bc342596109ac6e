import type { LoadFnOutput, LoadHookContext } from 'node:module';

type NextLoad = (url: string, context?: LoadHookContext) => LoadFnOutput | Promise<LoadFnOutput>;

/** Where the gateway asks the application; `server/application.js` makes the hooks. */
const asking = /\/dist\/(?:api|server|sessions)\/.*(?<!server\/application)\.js$/;

/** The read of a hook, in all forms that occur. */
const hook = String.raw`(?:this\.#options\.)?application\??\.(?:connect|subscribe|publish)\b(?!\()`;
const cuts: readonly (readonly [RegExp, string])[] = [
  [new RegExp(String.raw`\b${hook} === undefined`, 'g'), 'true'],
  [new RegExp(`(?<= = )${hook}(?=;)`, 'g'), 'undefined'],
  [/\bconst \{ connect: hook \} = application;/g, 'const hook = undefined;'],
  [/\breport\?\.(?=\()/g, 'undefined?.'],
];

/** Code of the gateway as if it had no hooks and told no events. V8 leaves out branches that are constant. */
export function cutHooks(code: string): string {
  return cuts.reduce((rest, [pattern, without]) => rest.replace(pattern, without), code);
}

/** For `register` of `node:module`: loads the built gateway so. */
export async function load(url: string, context: LoadHookContext, next: NextLoad): Promise<LoadFnOutput> {
  const loaded = await next(url, context);
  return asking.test(url) ? { ...loaded, source: cutHooks(String(loaded.source)) } : loaded;
}
