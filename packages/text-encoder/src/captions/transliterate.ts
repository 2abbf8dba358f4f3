import unidecode from 'unidecode';

/**
 * Corrections of the tables of Text::Unidecode, which the npm package has: characters of captions, each with the result
 * of the Python package Unidecode (␣: a space, ∅: nothing).
 */
const corrections: ReadonlyMap<string, string> = new Map(
  [
    '¼ ␣1/4 ½ ␣1/2 ¾ ␣3/4 ⅐ ␣1/7␣ ⅑ ␣1/9␣ ⅒ ␣1/10␣ ™ (tm) ℠ (sm) ℗ (p) № No.␣ ℃ degC ℉ degF ℅ ␣c/o␣ ℮ e ♯ #',
    '− - ∕ / ∖ \\ ∗ * ∣ | ∶ : ∼ ~ ≤ <= ≥ >= ≦ <= ≧ >= ≠ ∅ ≮ ∅ ≯ ∅ ⟨ < ⟩ >␣ ⁎ * ⁓ ~ ✱ * ❘ | ❜ \' ❝ " ❞ " ❢ !',
    '₱ P ₲ G ₴ UAH ₵ C| ₸ T ₹ Rs ₺ L ₽ R ₾ l ₿ BTC',
    "Ŋ NG ŋ ng ẞ SS Є Ie Ъ ' ъ ' ᶜ ∅ ᶠ ∅ ᶻ ∅",
    'ᴀ A ᴄ C ᴅ D ᴇ E ᴊ J ᴋ K ᴍ M ᴏ O ᴘ P ᴛ T ᴜ U ᴠ V ᴡ W ᴢ Z',
    // Hepburn romanization, and the marks of length and pause.
    'し shi ち chi っ tsu つ tsu シ shi チ chi ッ tsu ツ tsu ー - ・ * ゠ = ゛ ∅ ゜ ∅ ヿ ∅',
    'א A ׆ n ח H ט T ך KH כ KH ץ TS צ TS ק k ש SH ־ - ׃ . ׀ | װ V ױ OY ײ EY',
  ].flatMap((line) =>
    Array.from(
      line.matchAll(/(\S+) (\S+)/g),
      ([, character, ascii]) => [character!, ascii!.replaceAll('␣', ' ').replace('∅', '')] as const,
    ),
  ),
);

/** Code points of the letters A in boxes and circles, 🄰, 🅐 and 🅰, and their replacements. */
const enclosedLetters = [
  [0x1f130, '[', ']'],
  [0x1f150, '(', ')'],
  [0x1f170, '[', ']'],
] as const;

/** Modifier letters, which are removed. */
const toneLetters = /[\u02e5-\u02eb\u02ef-\u02ff]/;

const cache = new Map<string, string>();

function transliterateCharacter(character: string): string {
  const correction = corrections.get(character);
  if (correction !== undefined) return correction;
  if (character === '\u2028' || character === '\u2029') return '\n';
  if (character <= '\x9f' || toneLetters.test(character)) return '';
  const code = character.codePointAt(0)!;
  for (const [a, before, after] of enclosedLetters) {
    if (code >= a && code < a + 26) return before + String.fromCharCode(code - a + 65) + after;
  }
  // The tables of the port escape characters that Perl would interpolate, and have "[?]" for unknown characters.
  const ascii = unidecode(character).replace(/\\([\\@{}$])/g, '$1');
  if (ascii !== '' && !/^\[\?\] ?$/.test(ascii)) return ascii;
  // Styled letters and digits (𝒜, ①, ⁵) are replaced by their decomposition in Unicode.
  const decomposed = character.normalize('NFKD').replace(/[^\0-\x7f]/g, '');
  // An accent without a letter decomposes into a space and the accent.
  return decomposed.trim() === '' && !/\p{Zs}/u.test(character) ? '' : decomposed;
}

/**
 * Transliterates a text to ASCII, for nearly all characters as `unidecode` of the Python package Unidecode does. Its
 * tables are those of the npm package of the same name, because those of the Python package (GPL) must not be copied.
 * The README documents the differences.
 */
export function transliterate(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    const ascii = cache.get(character) ?? transliterateCharacter(character);
    cache.set(character, ascii);
    return ascii;
  });
}
