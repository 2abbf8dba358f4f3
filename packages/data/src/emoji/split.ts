import { integerBelow, uniform } from '@dalle-mini/core';

/**
 * What a picture is for. `train`: learning. `held-out-drawings`: a drawing of an emoji of which `train` has other drawings.
 * `unseen-concepts`: all drawings of emoji of which `train` has none.
 */
export type EmojiSplit = 'train' | 'held-out-drawings' | 'unseen-concepts';
export const emojiSplits: readonly EmojiSplit[] = ['train', 'held-out-drawings', 'unseen-concepts'];

/** What the split looks at. */
export interface Drawing {
  readonly concept: string;
  readonly vendor: string;
  /** Equal for pictures that look the same. */
  readonly svgHash: string;
}

/** Share of the concepts, and of the drawings of the other concepts, that is held out. */
const heldOutShare = 0.05;
/** A drawing is held out only where training keeps at least two other designs of its concept. */
const leastDesigns = 3;

/** Fluent's two sets are one design, shaded and flat: either gives the other away. */
function designOf(vendor: string): string {
  return vendor.replace(/^fluent-emoji-flat$/, 'fluent-emoji');
}

/** The vendors that drew a concept, by design. */
type Designs = Map<string, Set<string>>;

/**
 * Assigns each picture to a split; the same pictures and seed give the same splits always.
 * Concepts that share a picture (flags of territories, a person drawn as the man) go together, since a concept is not
 * unseen if training sees its very picture.
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
  /** Drawings that would be held out if every concept that may lose a design lost one. */
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

/** Finds, for a concept, one that stands for all that share pictures with it, directly or through others. */
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
