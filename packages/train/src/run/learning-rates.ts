import { list, type NamePatterns, nameMatcher, namePatternsField, number, OptionError, object } from '@dalle-mini/core';

/** The learning rate of some parameters. */
export interface LearningRateGroup {
  /**
   * Names of parameters, in which `*` stands for any characters: `layers.0.*`. A list matches what any of its entries
   * matches.
   */
  readonly match: NamePatterns;
  /** Multiplies the learning rate, at least 0. With 0 the parameters do not change, and need no memory for training. */
  readonly factor: number;
}

export const learningRatesField = list(
  object<LearningRateGroup>({ match: namePatternsField, factor: number({ min: 0, max: 1e6 }) }),
  { max: 10_000 },
);

/**
 * Returns the factor of a parameter's learning rate: that of the first group which matches its name, or 1.
 *
 * @throws OptionError if a pattern matches none of the names, or if all parameters would be frozen.
 */
export function rateFactors(groups: readonly LearningRateGroup[], names: readonly string[]): (name: string) => number {
  const rules = groups.map(({ match, factor }, i) => {
    for (const pattern of [match].flat()) {
      if (!names.some(nameMatcher(pattern)))
        throw new OptionError(
          `config.learningRates[${i}].match`,
          'the name of a parameter, such as layers.0.*',
          pattern,
          `config.learningRates[${i}].match must match a parameter of the model, and ${JSON.stringify(pattern)} matches ` +
            `none. Their names are ${summary(names)}.`,
        );
    }
    return { matches: nameMatcher(match), factor };
  });
  const factorOf = (name: string) => rules.find(({ matches }) => matches(name))?.factor ?? 1;
  if (names.every((name) => factorOf(name) === 0))
    throw new OptionError(
      'config.learningRates',
      'above 0 for at least one parameter',
      groups,
      'config.learningRates must leave at least one parameter to train. All have the factor 0.',
    );
  return factorOf;
}

/** Lists the names by their first parts: `embed_tokens.*, layers.0.* …`. */
function summary(names: readonly string[]): string {
  const starts = [
    ...new Set(
      names.map((name) => {
        const parts = name.split('.');
        const kept = parts.findIndex((part) => /^\d+$/.test(part)) + 1 || 1;
        return kept < parts.length ? `${parts.slice(0, kept).join('.')}.*` : name;
      }),
    ),
  ];
  return starts.length > 12 ? `${starts.slice(0, 12).join(', ')} and ${starts.length - 12} more` : starts.join(', ');
}
