import { LmdbEngine } from '../../../../src/engines/lmdb/engine.ts';
import type { StoredTopic } from '../../../../src/topics/engine.ts';
import { type Acknowledged, type CrashTopic, idOf, optionsOf, publishFields, shortRing } from './plan.ts';

export interface Check {
  /** Offsets that were given, in all topics together. */
  readonly stored: number;
  readonly faults: readonly string[];
}

/** Opens the store as the next gateway would, and compares it with what the publishers were told. */
export async function checkStore(
  folder: string,
  sync: boolean,
  acknowledged: readonly Acknowledged[],
): Promise<Check> {
  const faults: string[] = [];
  let stored = 0;
  const engine = new LmdbEngine(optionsOf(folder, sync));
  await engine.open({
    appended: () => undefined,
    reset: () => undefined,
    degraded: (cause) => faults.push(`degraded: ${cause?.message}`),
  });
  try {
    for (const topic of ['stream', 'state', 'ids', 'short'] as const) {
      const told = acknowledged.filter((each) => each.topic === topic);
      const topicStored = await engine.load(topic);
      if (topicStored === undefined) {
        if (told.length > 0) faults.push(`${topic} is gone`);
        continue;
      }
      faults.push(...publicationFaults(topic, topicStored, told));
      if (topic === 'state') faults.push(...stateFaults(topicStored));
      if (topic === 'ids') faults.push(...(await repeatFaults(engine, told)));
      stored += topicStored.offset;
    }
  } finally {
    await engine.close();
  }
  return { stored, faults };
}

function publicationFaults(
  topic: CrashTopic,
  { epoch, offset, publications }: StoredTopic,
  told: readonly Acknowledged[],
): string[] {
  const faults: string[] = [];
  const first = topic === 'short' ? Math.max(1, offset - shortRing + 1) : 1;
  if (publications.length !== offset - first + 1 || publications[0]?.offset !== first) {
    faults.push(
      `${topic} keeps ${publications.length} from ${publications[0]?.offset}, not ${first}-${offset}`,
    );
  }
  publications.forEach((publication, i) => {
    if (publication.offset !== first + i) faults.push(`${topic} has ${publication.offset} at ${first + i}`);
  });
  const ids = publications.map(idOf);
  if (new Set(ids).size !== ids.length) faults.push(`${topic} has something twice`);
  const given = new Map<number, string>();
  for (const each of told) {
    const id = `${each.run}:${each.number}`;
    if (each.epoch !== epoch) faults.push(`${topic} ${id}: epoch ${each.epoch} became ${epoch}`);
    if (given.has(each.offset))
      faults.push(`${topic} gave ${each.offset} to ${given.get(each.offset)} and ${id}`);
    given.set(each.offset, id);
    if (each.offset > offset) faults.push(`${topic} ${id}: ${each.offset} is lost, the newest is ${offset}`);
    else if (each.offset >= first && ids[each.offset - first] !== id)
      faults.push(`${topic} ${id}: ${each.offset} is ${ids[each.offset - first]}`);
  }
  return faults;
}

/** The state is what the publications of the topic make it. */
function stateFaults({ publications, state }: StoredTopic): string[] {
  const newest = new Map(publications.map((publication) => [publication.key, publication.offset]));
  const wrong = state.filter(({ key, offset }) => newest.get(key) !== offset);
  return wrong.length === 0 && state.length === newest.size
    ? []
    : [`the state has ${state.length} keys of ${newest.size}, ${wrong.length} of them wrong`];
}

/** A publish that is repeated after the crash has the outcome of before. */
async function repeatFaults(engine: LmdbEngine, told: readonly Acknowledged[]): Promise<string[]> {
  const last = told.slice(-50);
  const outcomes = await engine.append(
    last.map(({ run, number }) => ({
      fields: publishFields(run, number),
      publishedAtMs: 0,
      acceptedAtMs: 0,
    })),
  );
  return outcomes.flatMap((outcome, i) => {
    const before = last[i] as Acknowledged;
    const isSame = outcome.ok && outcome.duplicate && outcome.offset === before.offset;
    return isSame ? [] : [`ids ${before.run}:${before.number} was appended again`];
  });
}
