/** Finding parts of a text and splitting at them, as Hugging Face's tokenizers does. */

/** A part of a text that a pattern matches, or that lies between matches: start, end, and whether it matches. */
export type Part = readonly [start: number, end: number, isMatch: boolean];

/**
 * Divides a text into matches and what lies between them.
 *
 * An empty match at the end of the last match does not count, as in Oniguruma.
 * @param regex With the flag `g`.
 */
export function findParts(text: string, regex: RegExp): Part[] {
  const parts: Part[] = [];
  let end = 0;
  let hasMatch = false;
  for (let from = 0; from <= text.length; ) {
    regex.lastIndex = from;
    const match = regex.exec(text);
    if (match === null) break;
    const matchEnd = match.index + match[0].length;
    if (match[0] === '' && hasMatch && matchEnd === end) {
      from += (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1;
      continue;
    }
    if (end < match.index) parts.push([end, match.index, false]);
    parts.push([match.index, matchEnd, true]);
    hasMatch = true;
    end = matchEnd;
    from = matchEnd;
  }
  if (end < text.length) parts.push([end, text.length, false]);
  return parts;
}

/** What a split does with the matches. */
export const splitBehaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehavior = (typeof splitBehaviors)[number];

/** Joins or removes parts of a text. Returns the start and the end of each piece that is not empty. */
export function splitParts(parts: readonly Part[], behavior: SplitBehavior): (readonly [start: number, end: number])[] {
  const isPiece = ([start, end]: readonly [number, number, ...unknown[]]) => start < end;
  if (behavior === 'Removed') {
    return parts.filter((part) => isPiece(part) && !part[2]).map(([start, end]) => [start, end]);
  }
  const pieces: [number, number][] = [];
  const isLastFirst = behavior === 'MergedWithNext';
  let previous = false;
  for (const [start, end, isMatch] of isLastFirst ? parts.toReversed() : parts) {
    const joins = behavior === 'Contiguous' ? isMatch === previous : behavior !== 'Isolated' && isMatch && !previous;
    const last = pieces.at(-1);
    if (!joins || last === undefined) pieces.push([start, end]);
    else if (isLastFirst) last[0] = start;
    else last[1] = end;
    previous = isMatch;
  }
  return (isLastFirst ? pieces.reverse() : pieces).filter(isPiece);
}
