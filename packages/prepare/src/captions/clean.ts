import { boolean, type Fields, integer, list, optional, string } from '@dalle-mini/core';
import type { BadRow } from '../lists/row.js';

/** How captions are cleaned, and which are left out. */
export interface CaptionOptions {
  /** Decodes `%20` and `+`, as in the metadata of YFCC100M. Default false. */
  readonly decodeUrl?: boolean | undefined;
  /** Removes HTML tags. Default false. */
  readonly removeHtml?: boolean | undefined;
  /** Replaces white space, with line breaks, by single spaces. Default true. */
  readonly collapseSpaces?: boolean | undefined;
  /** Fewest characters. Default 1. */
  readonly minLength?: number | undefined;
  /** Most characters. Default: any number. */
  readonly maxLength?: number | undefined;
  /** A regular expression that captions must not match, in any case: `\\.(jpe?g|png)$` leaves out names of files. */
  readonly refuse?: string | undefined;
  /** Languages that are kept, by ISO 639-1: `en`. Captions whose language cannot be told, such as names, are kept too. Default: any. */
  readonly languages?: readonly string[] | undefined;
}

export const captionFields: Fields<CaptionOptions> = {
  decodeUrl: optional(boolean()),
  removeHtml: optional(boolean()),
  collapseSpaces: optional(boolean()),
  minLength: optional(integer()),
  maxLength: optional(integer({ min: 1 })),
  refuse: optional(string()),
  languages: optional(list(string(), { min: 1 })),
};

/**
 * Returns a function that cleans a caption, without the filters. With all options on, it is `clean_text` of the card of
 * [dalle-mini/YFCC100M_OpenAI_subset](https://huggingface.co/datasets/dalle-mini/YFCC100M_OpenAI_subset).
 */
export function captionCleaner({
  decodeUrl,
  removeHtml,
  collapseSpaces = true,
}: CaptionOptions): (text: string) => string {
  return (text) => {
    let clean = text;
    if (decodeUrl) clean = unquotePlus(clean);
    if (removeHtml) clean = clean.replace(/<[^<]+?>/g, '');
    if (collapseSpaces) clean = clean.replace(/\s+/g, ' ').trim();
    return clean;
  };
}

/** Returns a function that tells why a clean caption is left out; `undefined` if it is not. */
export async function captionFilter(options: CaptionOptions): Promise<(caption: string) => BadRow | undefined> {
  const { minLength = 1, maxLength = Number.POSITIVE_INFINITY, refuse, languages } = options;
  const languageProblem = languages && (await languageFilter(languages));
  const pattern = refuse === undefined ? undefined : new RegExp(refuse, 'iu');
  return (caption) => {
    if (caption === '' && minLength > 0) return { problem: 'caption-missing', message: 'must have a caption' };
    if (caption.length < minLength)
      return {
        problem: 'caption-too-short',
        message: `must have a caption of at least ${minLength} characters, not ${JSON.stringify(caption)}`,
      };
    if (caption.length > maxLength)
      return {
        problem: 'caption-too-long',
        message: `must have a caption of at most ${maxLength} characters, not ${caption.length}`,
      };
    if (pattern?.test(caption))
      return {
        problem: 'caption-refused',
        message: `must not have the caption ${JSON.stringify(caption.slice(0, 80))}`,
      };
    return languageProblem?.(caption);
  };
}

async function languageFilter(languages: readonly string[]): Promise<(caption: string) => BadRow | undefined> {
  // Its statistics of 60 languages take time and memory to load.
  const { eld } = await import('eld/small');
  return (caption) => {
    const found = eld.detect(caption);
    if (languages.includes(found.language) || !found.isReliable()) return undefined;
    return {
      problem: 'caption-language',
      message: `must have a caption in ${languages.join(' or ')}, not in ${found.language}: ${JSON.stringify(caption.slice(0, 80))}`,
    };
  };
}

/** Decodes percent-encoding in UTF-8 and `+` for spaces. What is not valid stays, as in Python's `unquote_plus`. */
export function unquotePlus(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  return spaced.replace(/(%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

/** Joins title and description as the published encoding of YFCC100M does: the title gets a full stop. */
export function captionOfPhoto(title: string, description: string): string {
  const ended = title === '' || /[.!?]$/.test(title) ? title : `${title}.`;
  return `${ended} ${description}`.trim();
}
