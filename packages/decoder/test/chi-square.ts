/** Computes Pearson's chi-square statistic of sampled tokens for the expected probabilities by token. */
export function chiSquare(drawn: readonly number[], probabilities: readonly number[]) {
  const observed = probabilities.map(() => 0);
  for (const token of drawn) observed[token]! += 1;
  const unlikeliestFirst = [...probabilities.keys()].sort((a, b) => probabilities[a]! - probabilities[b]!);
  let statistic = 0;
  let cells = 0;
  let cell = { expected: 0, observed: 0 };
  for (const token of unlikeliestFirst) {
    cell.expected += drawn.length * probabilities[token]!;
    cell.observed += observed[token]!;
    // The chi-square distribution needs at least five expected samples per cell, so rare tokens share a cell.
    if (cell.expected < 5) continue;
    statistic += (cell.observed - cell.expected) ** 2 / cell.expected;
    cells++;
    cell = { expected: 0, observed: 0 };
  }
  return { statistic, degrees: cells - 1 };
}

/**
 * Returns the 99.9th percentile of chi-square, within 3 % for one degree of freedom and 1 % for more (Wilson and
 * Hilferty 1931).
 */
export function criticalChiSquare(degrees: number): number {
  const variance = 2 / (9 * degrees);
  return degrees * (1 - variance + 3.0902 * Math.sqrt(variance)) ** 3;
}
