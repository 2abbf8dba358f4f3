import { demojize } from './demojize.js';
import { fixText } from './fix-text.js';
import { unescapeHtml } from './html-entities.js';
import { transliterate } from './transliterate.js';
import { type WordFrequencies, WordSplitter } from './word-splitter.js';

/** Words for the `<person>` of Conceptual 12M, with cumulative counts in Wikipedia. */
const personWords = [
  { name: 'a person', count: 282265 },
  { name: 'someone', count: 282265 + 121194 },
  { name: 'somebody', count: 282265 + 121194 + 12219 },
];

/** Placeholders that are replaced at the end. They have no repeated characters, which the normalizer would remove. */
const dotMark = 'xtokxdotxtokx';
const quoteMark = 'xtokxquotextokx';
const slashMark = 'xtokxslashxtokx';

export interface TextNormalizerOptions {
  /** Returns numbers in [0, 1) that choose the word for each `<person>`. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/**
 * Normalizes captions as DALL·E Mini was trained on them: lower case and ASCII, emoji and accents spelled out, hashtags
 * split into words, and all punctuation except that within words and numbers as commas. Follows the `TextNormalizer` of
 * https://github.com/borisdayma/dalle-mini step by step.
 */
export class TextNormalizer {
  readonly #splitter: WordSplitter;
  readonly #random: () => number;

  /**
   * @param wordFrequencies Word frequencies for splitting hashtags: the text of the published
   *   `enwiki-words-frequency.txt`.
   * @throws Error if there are no words, or if a line is not a word and its count.
   */
  constructor(wordFrequencies: WordFrequencies, options: TextNormalizerOptions = {}) {
    this.#splitter = new WordSplitter(wordFrequencies);
    this.#random = options.random ?? Math.random;
  }

  /** Returns the normalized caption, which begins with a space. The caption may have any content and length. */
  normalize(caption: string): string {
    let text = unescapeHtml(unescapeHtml(fixText(caption)));
    text = transliterate(demojize(text)).toLowerCase();
    text = this.#namePersons(text);
    text = text.replace(/^\s*\[\d+\]/, '').replace(/\[\d+\]\s*$/, ''); // Wikipedia references
    text = text.replace(/<[^<]+?>/g, ' ').replace(/http\S+/g, '');
    for (let n = 0; n < 2; n++) text = text.replace(/(\d),(\d{3})/g, '$1$2');
    text = text.replace(/(\w)\.(\w)/g, `$1${dotMark}$2`);
    text = text.replace(/'(?=(?:[stdm]|ll|re|ve)\b)/g, quoteMark);
    text = text.replace(/(\d)\/(\d)/g, `$1${slashMark}$2`);
    text = text.replace(/(\w)-(\w)/g, '$1 $2').replace(/[%&/$*]/g, ' $& ');
    text = text.replace(/#(\w+)/g, (_, hashtag: string) => this.#splitter.split(hashtag));
    text = text.replace(/[_#\\]/g, ' ').replace(/['"`]/g, ' " ');
    text = text.replace(/[()[\].,|:;?!=+~\-/{}]/g, ',');
    text = text.replaceAll(dotMark, '.').replaceAll(quoteMark, "'").replaceAll(slashMark, '/');
    text = text.replace(/(\D)\1{3,}/g, '$1'); // not three characters, as in VIII
    // Runs are found first and examined then: one pattern for both would try each character as a start.
    text = text.replace(/[\s"]+/g, (run) => (run.includes('"') ? ' " ' : run));
    text = text.replace(/[\s,]+/g, (run) => (run.includes(',') ? ', ' : run));
    text = text.replace(/\s+/g, ' ').trim().replace(/,$/, '').replace(/^,/, '').trim();
    return ` ${text}`;
  }

  #namePersons(text: string): string {
    return text.replace(/<person>(?:[,\s]*(?:(?:and)+[,\s]*)?<person>)+/g, ' people ').replace(/<person>/g, () => {
      const chosen = this.#random() * personWords.at(-1)!.count;
      return ` ${personWords.find(({ count }) => chosen < count)!.name} `;
    });
  }
}
