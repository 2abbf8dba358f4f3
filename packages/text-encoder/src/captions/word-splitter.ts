/** Word frequencies: the text of `enwiki-words-frequency.txt`, or a map from words to counts. */
export type WordFrequencies = string | ReadonlyMap<string, number>;

const action =
  'Give the text of the published enwiki-words-frequency.txt: one word and its count per line, the most frequent first.';

function wordsByFrequency(frequencies: WordFrequencies): string[] {
  if (typeof frequencies !== 'string' && !(frequencies instanceof Map)) {
    throw new Error(`The word frequencies are missing. ${action}`);
  }
  if (typeof frequencies !== 'string') {
    const words = [...frequencies].sort(([, a], [, b]) => b - a).map(([word]) => word);
    if (words.length === 0) throw new Error('The word frequencies are empty. Give a map from words to counts.');
    return words;
  }
  const words: string[] = [];
  const lines = frequencies.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  lines.forEach((line, index) => {
    const fields = line.trim().split(/\s+/);
    if (fields.length !== 2 || !Number.isFinite(Number(fields[1]))) {
      const shown = JSON.stringify(line.length > 40 ? `${line.slice(0, 40)}…` : line);
      throw new Error(
        `Line ${index + 1} of the word frequencies must be a word and its count, not ${shown}. ${action}`,
      );
    }
    words.push(fields[0]!);
  });
  if (words.length === 0) throw new Error(`The word frequencies are empty. ${action}`);
  return words;
}

/** Splits text without spaces into the most probable words, by word frequency (Zipf's law). */
export class WordSplitter {
  /** log(rank) of each word, from 1. */
  readonly #costs = new Map<string, number>();
  readonly #longest: number;

  /** @throws Error if there are no words, or if a line is not a word and its count. */
  constructor(frequencies: WordFrequencies) {
    let longest = 0;
    wordsByFrequency(frequencies).forEach((word, index) => {
      this.#costs.set(word, Math.log(index + 1));
      longest = Math.max(longest, word.length);
    });
    this.#longest = longest;
  }

  /**
   * Returns the words of a text, joined by spaces. All characters except ASCII letters, digits and apostrophes separate
   * words.
   */
  split(text: string): string {
    return text
      .split(/[^a-zA-Z0-9']+/)
      .flatMap((part) => this.#splitPart(part))
      .join(' ');
  }

  /** Takes time in proportion to the length of the part and to that of the longest word. */
  #splitPart(part: string): string[] {
    const lower = part.toLowerCase();
    // costs[end] is the cost of the best split of the first `end` characters, lengths[end] the length of its last word.
    const costs = new Float64Array(part.length + 1);
    const lengths = new Int32Array(part.length + 1);
    for (let end = 1; end <= part.length; end++) {
      let best = Number.POSITIVE_INFINITY;
      let bestLength = 1;
      for (let length = 1; length <= Math.min(end, this.#longest); length++) {
        if (costs[end - length]! >= best) continue;
        const cost = this.#costs.get(lower.slice(end - length, end));
        if (cost !== undefined && costs[end - length]! + cost < best) {
          best = costs[end - length]! + cost;
          bestLength = length;
        }
      }
      costs[end] = best;
      lengths[end] = bestLength;
    }

    const words: string[] = [];
    for (let end = part.length; end > 0; end -= lengths[end]!) {
      const word = part.slice(end - lengths[end]!, end);
      if (word === "'") continue;
      const next = words.at(-1);
      // An 's belongs to the word before it, and digits stay together.
      if (next !== undefined && (next === "'s" || (/\d$/.test(word) && /^\d/.test(next)))) {
        words[words.length - 1] = word + next;
      } else {
        words.push(word);
      }
    }
    return words.reverse();
  }
}
