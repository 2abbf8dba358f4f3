import { createHash } from 'node:crypto';
import type { TensorData } from '@dalle-mini/graph';

/**
 * Everything that decides the result of a run, as plain JSON. It is in each checkpoint, and a run resumes only with the
 * same.
 */
export type Settings = Readonly<Record<string, unknown>>;

/** `Given` with values for the fields that have a default. */
export type WithDefaults<Given, Field extends PropertyKey> = Given & {
  readonly [F in Field & keyof Given]-?: Exclude<Given[F], undefined>;
};

/** Fills in the defaults of fields that are missing or `undefined`. */
export function withDefaults<Given extends object, Field extends PropertyKey>(
  given: Given,
  defaults: { readonly [F in Field]: unknown },
): WithDefaults<Given, Field> {
  const values = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(values) } as WithDefaults<Given, Field>;
}

/**
 * Lists the settings that differ between two runs, such as `config.learningRate is 0.001 there and 0.01 here`.
 *
 * @param defaults Defaults of settings that did not exist yet when the other run started.
 * @param names How to name the two runs.
 */
export function differences(
  there: Settings,
  here: Settings,
  defaults: Settings,
  names: { readonly there: string; readonly here: string } = { there: 'there', here: 'here' },
): string[] {
  const a = new Map([...flatten(defaults), ...flatten(there)]);
  const b = flatten(here);
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((path) => a.get(path) !== b.get(path))
    .map(
      (path) => `${path} is ${a.get(path) ?? 'not set'} ${names.there} and ${b.get(path) ?? 'not set'} ${names.here}`,
    );
}

/** Maps the path of each value to its JSON. Lists are values. */
export function flatten(settings: Settings, path = ''): Map<string, string> {
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

/** Hashes the names, shapes and bytes of parameters. */
export function digestOf(parameters: ReadonlyMap<string, TensorData>): string {
  const hash = createHash('sha256');
  for (const name of [...parameters.keys()].sort()) {
    const { shape, data } = parameters.get(name)!;
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}
