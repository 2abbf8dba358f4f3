import { integerBelow, uniform } from '@dalle-mini/core';

/**
 * Purpose of a picture. `train`: training. `held-out-drawings`: evaluation with new drawings of emoji that `train` has
 * in other drawings. `unseen-concepts`: evaluation with emoji that `train` does not have.
 */
export type EmojiSplit = 'train' | 'held-out-drawings' | 'unseen-concepts';
export const emojiSplits: readonly EmojiSplit[] = ['train', 'held-out-drawings', 'unseen-concepts'];

/** The properties of a picture that decide its split. */
export interface Drawing {
  readonly concept: string;
  readonly vendor: string;
  /** Equal for pictures that look the same. */
  readonly svgHash: string;
}

/** Share of the concepts that is held out, and share of the drawings of the other concepts. */
const heldOutShare = 0.05;
/** A drawing is held out only if training keeps at least two other designs of its concept. */
const leastDesigns = 3;

/** Returns the design of a set. Fluent's two sets are one design, shaded and flat. */
function designOf(vendor: string): string {
  return vendor.replace(/^fluent-emoji-flat$/, 'fluent-emoji');
}

/** The vendors that drew a concept, by design. */
type Designs = Map<string, Set<string>>;

/**
 * Assigns each picture to a split. The same pictures and seed always give the same splits.
 * Concepts that share a picture (flags of territories, a person drawn as the man) get the same split: otherwise
 * training would see the picture of an unseen concept.
 */
export function splitEmoji(drawings: readonly Drawing[], seed: number): EmojiSplit[] {
  const rootOf = findTwins(drawings);
  const isUnseen = (concept: string) => uniform('unseen-concepts', seed, rootOf(concept)) < heldOutShare;

  const concepts = new Map<string, Designs>();
  for (const { concept, vendor } of drawings) {
    const designs: Designs = concepts.get(concept) ?? new Map();
    const design = designOf(vendor);
    concepts.set(concept, designs.set(design, (designs.get(design) ?? new Set()).add(vendor)));
  }

  const countDrawings = (designs: Designs) => [...designs.values()].reduce((sum, vendors) => sum + vendors.size, 0);
  let seen = 0;
  /** Drawings that would be held out if every concept with enough designs lost one. */
  let most = 0;
  for (const [concept, designs] of concepts) {
    if (isUnseen(concept)) continue;
    seen += countDrawings(designs);
    if (designs.size >= leastDesigns) most += countDrawings(designs) / designs.size;
  }
  const probability = most === 0 ? 0 : (heldOutShare * seen) / most;
  const heldOutDesign = new Map<string, string>();
  for (const [concept, designs] of concepts) {
    if (designs.size < leastDesigns || uniform('held-out-drawings', seed, concept) >= probability) continue;
    heldOutDesign.set(concept, [...designs.keys()][integerBelow(designs.size, 'design', seed, concept)]!);
  }
  return drawings.map(({ concept, vendor }) => {
    if (isUnseen(concept)) return 'unseen-concepts';
    return heldOutDesign.get(concept) === designOf(vendor) ? 'held-out-drawings' : 'train';
  });
}

/** Returns a function that maps all concepts that share pictures, directly or through others, to the same concept. */
function findTwins(drawings: readonly Drawing[]): (concept: string) => string {
  const parents = new Map<string, string>();
  const rootOf = (concept: string): string => {
    let root = concept;
    for (let next = parents.get(root); next !== undefined; next = parents.get(root)) root = next;
    return root;
  };
  const conceptOfPicture = new Map<string, string>();
  for (const { concept, svgHash } of drawings) {
    const twin = conceptOfPicture.get(svgHash) ?? concept;
    conceptOfPicture.set(svgHash, twin);
    const [first, second] = [rootOf(twin), rootOf(concept)].sort() as [string, string];
    if (first !== second) parents.set(second, first);
  }
  return rootOf;
}
