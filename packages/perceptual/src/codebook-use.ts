/** How much of a codebook some tokens use. */
export interface CodebookUse {
  /** Share of the codes that appear at least once, 0 to 1. */
  readonly used: number;
  /** exp of the entropy of the tokens' frequencies: the number of codes that the same tokens would use evenly. */
  readonly perplexity: number;
}

/**
 * Measures how much of a codebook tokens use.
 *
 * @param grids The tokens of some images, each from 0 to `vocabularySize − 1`.
 */
export function codebookUse(grids: Iterable<Int32Array>, vocabularySize: number): CodebookUse {
  const counts = new Float64Array(vocabularySize);
  let total = 0;
  for (const grid of grids) {
    for (const token of grid) counts[token] = counts[token]! + 1;
    total += grid.length;
  }
  const entropy = counts.reduce((sum, count) => (count > 0 ? sum - (count / total) * Math.log(count / total) : sum), 0);
  return { used: counts.filter((count) => count > 0).length / vocabularySize, perplexity: Math.exp(entropy) };
}
