/** Extensions of image files, in lower case. */
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

/** Returns the captions of a text file: one per line, without blank lines. */
export function captionsFromText(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Returns the captions of a JSON string or array of strings, without blank ones; `undefined` for other values. */
export function captionsFromValue(value: unknown): string[] | undefined {
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((item): item is string => typeof item === 'string')) return undefined;
  return list.map((caption) => caption.trim()).filter((caption) => caption !== '');
}

/** Returns the captions of a JSON object: its `captions`, or else its `caption`, or else its `text`. */
export function captionsFromRecord({ caption, captions, text }: Record<string, unknown>): string[] | undefined {
  return captionsFromValue(captions ?? caption ?? text);
}
