import { createHash } from 'node:crypto';
import type { TensorData } from '@dalle-mini/graph';

/** What decides the outcome of a run, as plain JSON: it is kept in each checkpoint, and a run resumes only under the same. */
export type Settings = Readonly<Record<string, unknown>>;

/** Fields that have a value after all. */
export type WithDefaults<Given, Field extends PropertyKey> = Given & {
  readonly [F in Field & keyof Given]-?: Exclude<Given[F], undefined>;
};

/** Fills in fields that were left out, or given as `undefined`. */
export function withDefaults<Given extends object, Field extends PropertyKey>(
  given: Given,
  defaults: { readonly [F in Field]: unknown },
): WithDefaults<Given, Field> {
  const values = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(values) } as WithDefaults<Given, Field>;
}

/**
 * Says of each setting that two runs do not share what it is in either, such as `config.learningRate is 0.001 there and 0.01
 * here`.
 *
 * @param defaults What settings are that were not there yet when the other run was made.
 */
export function differences(there: Settings, here: Settings, defaults: Settings): string[] {
  const a = new Map([...flatten(defaults), ...flatten(there)]);
  const b = flatten(here);
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((path) => a.get(path) !== b.get(path))
    .map((path) => `${path} is ${a.get(path) ?? 'not set'} there and ${b.get(path) ?? 'not set'} here`);
}

/** Each value as JSON, by the path of fields that leads to it; lists are values. */
function flatten(settings: Settings, path = ''): Map<string, string> {
  const entries = Object.entries(settings).flatMap(([field, value]): [string, string][] => {
    const name = path + field;
    if (value === undefined) return [];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return [...flatten(value as Settings, `${name}.`)];
    }
    return [[name, JSON.stringify(value)]];
  });
  return new Map(entries);
}

/** A hash of parameters: of their names, shapes and bytes. */
export function digestOf(parameters: ReadonlyMap<string, TensorData>): string {
  const hash = createHash('sha256');
  for (const name of [...parameters.keys()].sort()) {
    const { shape, data } = parameters.get(name)!;
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}
