/** Sets of characters in the versions of Unicode that Hugging Face's tokenizers uses. */
import * as tables from './character-tables.js';

/** Returns the content of a character class of a regular expression: `\u{41}-\u{5a}\u{5f}`. */
function characterClass(table: string): string {
  let last = 0;
  return table
    .split(' ')
    .map((range) => {
      const [distance, length = '0'] = range.split('+') as [string, string?];
      const first = last + Number.parseInt(distance, 36);
      last = first + Number.parseInt(length, 36);
      return `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`;
    })
    .join('');
}

const each = (characters: string) => new RegExp(`[${characters}]`, 'gu');

export const whitespace = each('\\p{White_Space}');
export const removedByBert = each(characterClass(tables.removedByBert));
export const nonspacingMarks = each(characterClass(tables.nonspacingMarks));
export const combiningMarks = each(characterClass(tables.combiningMarks));
export const punctuation = each(characterClass(tables.punctuation));
export const numeric = each(characterClass(tables.numeric));

const unassigned = each(characterClass(tables.unassigned));
const normalizedLater = new RegExp(`([${characterClass(tables.normalizedLater)}]+)`, 'u');

/**
 * Replaces characters that Unicode 16 does not have by code points that will never have a character, of the same length,
 * so that a regular expression finds what the reference's does.
 */
export function asOfUnicode16(text: string): string {
  return isLatin(text)
    ? text
    : text.replace(unassigned, (character) => (character.length === 1 ? '\uffff' : '\u{10ffff}'));
}

/** Normalizes text in the version of Unicode of the reference, in which later characters do not change. */
export function normalizeUnicode(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): string {
  if (isAscii(text)) return text;
  if (isLatin(text)) return text.normalize(form);
  return text
    .split(normalizedLater)
    .map((part, index) => (index % 2 === 0 ? part.normalize(form) : part))
    .join('');
}

/** Lower-cases each character without its context: a sigma at the end of a word is like any other. */
export function toLowerCase(text: string): string {
  // JavaScript lower-cases only the sigma by its context.
  return text.replaceAll('Σ', 'σ').toLowerCase();
}

/** Whether all characters are before U+0370, where every code point has a character in all versions of Unicode. */
function isLatin(text: string): boolean {
  return !/[^\0-\u036f]/.test(text);
}

export function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}
