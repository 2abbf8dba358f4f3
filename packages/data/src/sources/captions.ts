/** File names (lower case) that hold an image, by their ending. */
export const imageExtensions: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.avif',
  '.gif',
  '.tif',
  '.tiff',
]);

/** Captions of a text file: one a line, blank lines left out. */
export function captionsFromText(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Captions of a JSON value: a string, or an array of strings; blank ones left out. `undefined` if it is neither. */
export function captionsFromValue(value: unknown): string[] | undefined {
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((item): item is string => typeof item === 'string')) return undefined;
  return list.map((caption) => caption.trim()).filter((caption) => caption !== '');
}

/** Captions of a JSON object, from its `caption`, `captions` or `text` (the first that is there). */
export function captionsFromRecord({ caption, captions, text }: Record<string, unknown>): string[] | undefined {
  return captionsFromValue(captions ?? caption ?? text);
}
