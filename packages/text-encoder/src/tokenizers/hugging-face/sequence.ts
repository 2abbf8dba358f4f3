import { type Field, list, refuse, variant } from '@dalle-mini/core';

/** Sequences within sequences deeper than this are refused. Published files have one level. */
const deepest = 16;

/** Creates a field of objects of several kinds, by their `type`, of which one is a sequence of others. */
export function kinds<T extends { readonly type: string }>(
  fieldsOf: (items: Field<readonly T[]>) => { readonly [Kind in T['type']]: Field<T> },
  depth = 0,
): Field<T> {
  return {
    expected: 'an object',
    isOptional: false,
    read(value, path) {
      if (depth > deepest) refuse(path, `at most ${deepest} sequences in each other`, value);
      // Deeper levels are made when they are read.
      const items = list(kinds(fieldsOf, depth + 1));
      return variant<T, 'type' & keyof T & string>('type', fieldsOf(items)).read(value, path);
    },
  };
}
