import { type Field, object, optional, refuse, string } from '@dalle-mini/core';
import { toRegExp } from 'oniguruma-to-es';

/** Syntax whose meaning in JavaScript is another, or differs by version. */
const unsupported = [
  /\\[wWbBXyYKOGg]|\[:|\(\?\{|\(\*/,
  /\\p\{\^?\s*(?:word|graph|print|alnum|punct|blank)/i,
  // Letters that are as one letter without regard to case: ß as ss.
  /\(\?[a-z]*i.*(?:ss|st|f[fil]|[^\0-\x7f])/is,
];

/** A `pattern` of `tokenizer.json`, a text or a regular expression of Oniguruma, as one of JavaScript. */
export function pattern(): Field<RegExp> {
  const expected = 'an object with either String or Regex';
  const fields = object<{ String?: string | undefined; Regex?: string | undefined }>({
    String: optional(string()),
    Regex: optional(string()),
  });
  return {
    expected,
    isOptional: false,
    read(value, path) {
      const { String: text, Regex: source } = fields.read(value, path);
      if ((text === undefined) === (source === undefined)) return refuse(path, expected, value);
      if (text !== undefined) return new RegExp(text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'), 'gu');
      return translate(source!, `${path}.Regex`);
    },
  };
}

function translate(source: string, path: string): RegExp {
  if (unsupported.some((syntax) => syntax.test(source))) {
    return refuse(
      path,
      String.raw`a regular expression without \w, \W, \b, \B, \X, \K, \G, POSIX classes and ligatures of any case, which are not computed exactly`,
      source,
    );
  }
  try {
    return toRegExp(source, { global: true, accuracy: 'strict', target: 'ES2024' });
  } catch {
    return refuse(path, 'a regular expression of Oniguruma that JavaScript can compute', source);
  }
}
