/** Words that cameras and programs put into file names. They describe nothing. */
const emptyWords = new Set(
  [
    'img image photo foto pic picture dsc dscn dscf dscim pxl mvi gopr sam cimg screenshot screen shot bildschirmfoto',
    'untitled unnamed download scan file copy whatsapp at of am pm',
  ].flatMap((line) => line.split(' ')),
);

/**
 * Returns the caption that the name of an image file gives, such as "red apple" for `fruit/red_apple-2.png`: words that are
 * separated by spaces, underscores, hyphens, dots or capitals, without numbers.
 *
 * @returns `undefined` if the name describes nothing, such as `IMG_0042.jpg`.
 */
export function captionFromName(name: string): string | undefined {
  const stem = name.slice(name.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
  const words = stem
    .normalize('NFC')
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .split(/[\s_.,+~()[\]–-]+/u)
    .map(withoutNumber)
    .filter((word) => /\p{L}/u.test(word));
  if (words.at(-1)?.toLowerCase() === 'copy') words.pop();
  return words.every((word) => emptyWords.has(word.toLowerCase())) ? undefined : words.join(' ');
}

/** Removes a number around a word (`apple2`). What remains of a code such as `P1010042` or `3fa85f64` is not a word. */
function withoutNumber(word: string): string {
  if (!/\p{N}/u.test(word)) return word;
  const bare = word.replace(/^\p{N}+|\p{N}+$/gu, '');
  return bare.length < 3 || /\p{N}/u.test(bare) ? '' : bare;
}
