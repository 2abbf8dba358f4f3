import { integerBelow, uniform } from './random.js';

/**
 * What a picture is for. `train`: learning. `held-out-drawings`: one set's drawing of an emoji whose other drawings are
 * in `train`. `unseen-concepts`: all drawings of emoji of which `train` has none.
 */
export type EmojiSplit = 'train' | 'held-out-drawings' | 'unseen-concepts';

/** What the split looks at. */
export interface Drawing {
  readonly concept: string;
  readonly vendor: string;
  /** Equal for pictures that look the same. */
  readonly svgHash: string;
}

/** Share of the concepts, and of the drawings of the other concepts, that is held out. */
const heldOutShare = 0.05;
/** A drawing is held out only where training keeps at least two other sets' drawings of its concept. */
const leastVendors = 3;

/**
 * Assigns each picture to a split; the same pictures and seed give the same splits always.
 * Concepts that share a picture (flags of territories, a person drawn as the man) go together, since a concept is not
 * unseen if training sees its very picture.
 */
export function splitEmoji(drawings: readonly Drawing[], seed: number): EmojiSplit[] {
  const parent = new Map<string, string>();
  const rootOf = (concept: string): string => {
    let root = concept;
    for (let next = parent.get(root); next !== undefined; next = parent.get(root)) root = next;
    return root;
  };
  const vendors = new Map<string, string[]>();
  const conceptOfPicture = new Map<string, string>();
  for (const { concept, vendor, svgHash } of drawings) {
    const known = vendors.get(concept) ?? [];
    if (!known.includes(vendor)) vendors.set(concept, [...known, vendor]);
    const twin = conceptOfPicture.get(svgHash);
    if (twin === undefined) {
      conceptOfPicture.set(svgHash, concept);
      continue;
    }
    const [first, second] = [rootOf(twin), rootOf(concept)].sort() as [string, string];
    if (first !== second) parent.set(second, first);
  }

  const isUnseen = (concept: string) => uniform('unseen-concepts', seed, rootOf(concept)) < heldOutShare;
  let seenDrawings = 0;
  let candidates = 0;
  for (const [concept, sets] of vendors) {
    if (isUnseen(concept)) continue;
    seenDrawings += sets.length;
    if (sets.length >= leastVendors) candidates++;
  }
  const probability = candidates === 0 ? 0 : Math.min(1, (heldOutShare * seenDrawings) / candidates);
  const heldOutVendor = new Map<string, string>();
  for (const [concept, sets] of vendors) {
    if (sets.length < leastVendors || uniform('held-out-drawings', seed, concept) >= probability) continue;
    heldOutVendor.set(concept, sets[integerBelow(sets.length, 'vendor', seed, concept)]!);
  }
  return drawings.map(({ concept, vendor }) => {
    if (isUnseen(concept)) return 'unseen-concepts';
    return heldOutVendor.get(concept) === vendor ? 'held-out-drawings' : 'train';
  });
}
