import { type Field, list, string } from './fields.js';

/** Names, such as those of parameters, in which `*` stands for any characters: `layers.0.*`. A list matches what any of its entries matches. */
export type NamePatterns = string | readonly string[];

export const namePatternsField: Field<NamePatterns> = {
  expected: 'a name of parameters or a list of names',
  isOptional: false,
  schema: { anyOf: [string().schema, list(string(), { min: 1 }).schema] },
  read: (value, path) =>
    Array.isArray(value) ? list(string(), { min: 1 }).read(value, path) : string().read(value, path),
};

/** Returns a function that checks whether a name matches. */
export function nameMatcher(patterns: NamePatterns): (name: string) => boolean {
  const expressions = [patterns].flat().map(toExpression);
  return (name) => expressions.some((expression) => expression.test(name));
}

function toExpression(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
