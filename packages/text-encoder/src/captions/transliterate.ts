import unidecode from 'unidecode';

/**
 * Where Text::Unidecode, whose tables `unidecode` has, has since been found wanting: characters that captions hold, each with
 * what the Python package Unidecode gives for it (␣: a space, ∅: nothing).
 */
const CORRECTIONS: ReadonlyMap<string, string> = new Map(
  [
    '¼ ␣1/4 ½ ␣1/2 ¾ ␣3/4 ⅐ ␣1/7␣ ⅑ ␣1/9␣ ⅒ ␣1/10␣ ™ (tm) ℠ (sm) ℗ (p) № No.␣ ℃ degC ℉ degF ℅ ␣c/o␣ ℮ e ♯ #',
    '− - ∕ / ∖ \\ ∗ * ∣ | ∶ : ∼ ~ ≤ <= ≥ >= ≦ <= ≧ >= ≠ ∅ ≮ ∅ ≯ ∅ ⟨ < ⟩ >␣ ⁎ * ⁓ ~ ✱ * ❘ | ❜ \' ❝ " ❞ " ❢ !',
    '₱ P ₲ G ₴ UAH ₵ C| ₸ T ₹ Rs ₺ L ₽ R ₾ l ₿ BTC',
    "Ŋ NG ŋ ng ẞ SS Є Ie Ъ ' ъ ' ᶜ ∅ ᶠ ∅ ᶻ ∅",
    'ᴀ A ᴄ C ᴅ D ᴇ E ᴊ J ᴋ K ᴍ M ᴏ O ᴘ P ᴛ T ᴜ U ᴠ V ᴡ W ᴢ Z',
    // Hepburn's romanization, and the marks of length and of a pause.
    'し shi ち chi っ tsu つ tsu シ shi チ chi ッ tsu ツ tsu ー - ・ * ゠ = ゛ ∅ ゜ ∅ ヿ ∅',
    'א A ׆ n ח H ט T ך KH כ KH ץ TS צ TS ק k ש SH ־ - ׃ . ׀ | װ V ױ OY ײ EY',
  ].flatMap((line) =>
    Array.from(
      line.matchAll(/(\S+) (\S+)/g),
      ([, character, ascii]) => [character!, ascii!.replaceAll('␣', ' ').replace('∅', '')] as const,
    ),
  ),
);

/** Code points of the letters A in boxes and circles, 🄰, 🅐 and 🅰, and what stands for these. */
const ENCLOSED_LETTERS = [
  [0x1f130, '[', ']'],
  [0x1f150, '(', ')'],
  [0x1f170, '[', ']'],
] as const;

/** Modifiers of letters, which leave nothing. */
const TONE_LETTERS = /[\u02e5-\u02eb\u02ef-\u02ff]/;

const cache = new Map<string, string>();

function transliterateCharacter(character: string): string {
  const correction = CORRECTIONS.get(character);
  if (correction !== undefined) return correction;
  if (character === '\u2028' || character === '\u2029') return '\n';
  if (character <= '\x9f' || TONE_LETTERS.test(character)) return '';
  const code = character.codePointAt(0)!;
  for (const [a, before, after] of ENCLOSED_LETTERS) {
    if (code >= a && code < a + 26) return before + String.fromCharCode(code - a + 65) + after;
  }
  // The port's tables escape what Perl would interpolate, and name what they do not know "[?]".
  const ascii = unidecode(character).replace(/\\([\\@{}$])/g, '$1');
  if (ascii !== '' && !/^\[\?\] ?$/.test(ascii)) return ascii;
  // Styled letters and digits (𝒜, ①, ⁵) are what Unicode says that they are made of.
  const decomposed = character.normalize('NFKD').replace(/[^\0-\x7f]/g, '');
  // An accent without a letter is one over a space.
  return decomposed.trim() === '' && !/\p{Zs}/u.test(character) ? '' : decomposed;
}

/**
 * Writes a text in ASCII: `unidecode` of the Python package Unidecode for nearly all characters. It takes its tables from the npm
 * package of the same name, since those of the Python package may not be copied here (GPL); the README says how far they agree.
 */
export function transliterate(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (character) => {
    const ascii = cache.get(character) ?? transliterateCharacter(character);
    cache.set(character, ascii);
    return ascii;
  });
}
