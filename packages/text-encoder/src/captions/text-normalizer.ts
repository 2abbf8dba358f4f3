import { demojize } from './demojize.js';
import { fixText } from './fix-text.js';
import { unescapeHtml } from './html-entities.js';
import { transliterate } from './transliterate.js';
import { type WordFrequencies, WordSplitter } from './word-splitter.js';

/** What a `<person>` of Conceptual 12M can be called, with how often Wikipedia says that or one of those before. */
const PERSONS_UP_TO = [
  { name: 'a person', count: 282265 },
  { name: 'someone', count: 282265 + 121194 },
  { name: 'somebody', count: 282265 + 121194 + 12219 },
];

/** Marks that are put back at the end. They have no character twice in a row, which would be taken for a repetition. */
const DOT = 'xtokxdotxtokx';
const QUOTE = 'xtokxquotextokx';
const SLASH = 'xtokxslashxtokx';

export interface TextNormalizerOptions {
  /** Gives numbers in [0, 1) that choose what each `<person>` is called. `Math.random` without it. */
  readonly random?: (() => number) | undefined;
}

/**
 * Brings captions into the form that DALL·E Mini was trained on: lower case and ASCII, emoji and accents spelled out, hashtags
 * split into words, all punctuation but that within words and numbers a comma. What the `TextNormalizer` of
 * https://github.com/borisdayma/dalle-mini does, step by step.
 */
export class TextNormalizer {
  readonly #splitter: WordSplitter;
  readonly #random: () => number;

  /**
   * @param wordFrequencies What hashtags are split by: the text of the release's `enwiki-words-frequency.txt`.
   * @throws Error if they hold no words, or a line is no word with its count.
   */
  constructor(wordFrequencies: WordFrequencies, options: TextNormalizerOptions = {}) {
    this.#splitter = new WordSplitter(wordFrequencies);
    this.#random = options.random ?? Math.random;
  }

  /** The normalized caption, which begins with a space. A caption may hold anything and be of any length. */
  normalize(caption: string): string {
    let text = unescapeHtml(unescapeHtml(fixText(caption)));
    text = transliterate(demojize(text)).toLowerCase();
    text = this.#namePersons(text);
    text = text.replace(/^\s*\[\d+\]/, '').replace(/\[\d+\]\s*$/, ''); // references of Wikipedia
    text = text.replace(/<[^<]+?>/g, ' ').replace(/http\S+/g, '');
    for (let n = 0; n < 2; n++) text = text.replace(/(\d),(\d{3})/g, '$1$2');
    text = text.replace(/(\w)\.(\w)/g, `$1${DOT}$2`);
    text = text.replace(/'(?=(?:[stdm]|ll|re|ve)\b)/g, QUOTE);
    text = text.replace(/(\d)\/(\d)/g, `$1${SLASH}$2`);
    text = text.replace(/(\w)-(\w)/g, '$1 $2').replace(/[%&/$*]/g, ' $& ');
    text = text.replace(/#(\w+)/g, (_, hashtag: string) => this.#splitter.split(hashtag));
    text = text.replace(/[_#\\]/g, ' ').replace(/['"`]/g, ' " ');
    text = text.replace(/[()[\].,|:;?!=+~\-/{}]/g, ',');
    text = text.replaceAll(DOT, '.').replaceAll(QUOTE, "'").replaceAll(SLASH, '/');
    text = text.replace(/(\D)\1{3,}/g, '$1'); // not three, as in VIII
    // Runs are found first and looked into then: a pattern for both would try each of their characters as a beginning.
    text = text.replace(/[\s"]+/g, (run) => (run.includes('"') ? ' " ' : run));
    text = text.replace(/[\s,]+/g, (run) => (run.includes(',') ? ', ' : run));
    text = text.replace(/\s+/g, ' ').trim().replace(/,$/, '').replace(/^,/, '').trim();
    return ` ${text}`;
  }

  #namePersons(text: string): string {
    return text.replace(/<person>(?:[,\s]*(?:(?:and)+[,\s]*)?<person>)+/g, ' people ').replace(/<person>/g, () => {
      const chosen = this.#random() * PERSONS_UP_TO.at(-1)!.count;
      return ` ${PERSONS_UP_TO.find(({ count }) => chosen < count)!.name} `;
    });
  }
}
