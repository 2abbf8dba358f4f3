/** The `precompiled_charsmap` of SentencePiece: a map from characters to their normal form. */

/**
 * A parsed `precompiled_charsmap`. It begins with the size of a trie in bytes, uint32; the trie follows, a double array of
 * Darts-clone (https://github.com/s-yata/darts-clone), and then the normal forms, each in UTF-8 with a zero at its end.
 */
export interface Charsmap {
  readonly trie: Uint32Array;
  readonly forms: Uint8Array;
  /** The normal forms that were looked up. */
  readonly found: Map<string, string | undefined>;
}

/** Number of normal forms that are remembered. */
const mostFound = 10_000;

/** Parses a charsmap. Returns the problem, in words that follow "must", if it is damaged. */
export function parseCharsmap(base64: string): Charsmap | string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return 'be base64';
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const size = bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0, true);
  if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length) return 'hold a trie and the normal forms';
  const view = new DataView(bytes.buffer, 4, size);
  const trie = Uint32Array.from({ length: size / 4 }, (_, unit) => view.getUint32(4 * unit, true));
  return { trie, forms: bytes.subarray(4 + size), found: new Map() };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Returns the normal form of the shortest beginning of a text that has one. The reference, unlike SentencePiece, does not
 * look for the longest.
 */
function normalForm({ trie, forms }: Charsmap, text: string): string | undefined {
  let node = offsetOf(trie[0]!);
  for (const byte of encoder.encode(text)) {
    // The reference ends at a zero: the key is a string of C.
    if (byte === 0) return undefined;
    node ^= byte;
    const unit = trie[node];
    if (unit === undefined || labelOf(unit) !== byte) return undefined;
    node ^= offsetOf(unit);
    if (!hasLeaf(unit)) continue;
    const start = (trie[node] ?? 0) & 0x7fffffff;
    const end = forms.indexOf(0, start);
    return decoder.decode(forms.subarray(start, end < 0 ? forms.length : end));
  }
  return undefined;
}

// The bits of a unit, as in Darts-clone.
const hasLeaf = (unit: number) => ((unit >>> 8) & 1) === 1;
const labelOf = (unit: number) => (unit & 0x800000ff) >>> 0;
const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/**
 * Replaces characters by their normal forms, as the reference does: first each grapheme cluster of less than six bytes as
 * a whole, and otherwise each character.
 */
export function applyCharsmap(charsmap: Charsmap, text: string): string {
  const { found } = charsmap;
  const find = (part: string) => {
    if (!found.has(part)) {
      if (found.size >= mostFound) found.clear();
      found.set(part, normalForm(charsmap, part));
    }
    return found.get(part);
  };
  const eachCharacter = (part: string) => Array.from(part, (character) => find(character) ?? character).join('');
  const eachCluster = (part: string) =>
    Array.from(
      graphemes.segment(part),
      ({ segment }) => (byteLength(segment) < 6 ? find(segment) : undefined) ?? eachCharacter(segment),
    ).join('');
  // Of ASCII, only the two characters of a line end are one cluster.
  if (text.includes('\r\n')) return eachCluster(text);
  return text
    .split(clustersMayBe)
    .map((part, index) => (index % 2 === 0 ? eachCharacter(part) : eachCluster(part)))
    .join('');
}

/** Other characters than ASCII, and one of ASCII on both sides, with which they may be a cluster. */
const clustersMayBe = /([\0-\x7f]?[^\0-\x7f]+(?:[\0-\x7f][^\0-\x7f]+)*[\0-\x7f]?)/;

function byteLength(text: string): number {
  // Every UTF-16 unit is at least one byte.
  return text.length >= 6 ? text.length : encoder.encode(text).length;
}
