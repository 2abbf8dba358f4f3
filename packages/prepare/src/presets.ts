import type { CaptionOptions } from './captions/clean.js';
import type { ListFormat } from './lists/formats.js';

/** What a preset sets. */
export interface Preset {
  readonly format: ListFormat;
  readonly header?: boolean | undefined;
  readonly url: string | number;
  readonly caption: string | number;
  readonly columns?: readonly string[] | undefined;
  readonly captions?: CaptionOptions | undefined;
}

/** The lists of published data sets. */
export const presets = {
  /** Conceptual Captions: https://ai.google.com/research/ConceptualCaptions/download. */
  cc3m: { format: 'tsv', header: false, caption: 0, url: 1 },
  /** Conceptual 12M: https://github.com/google-research-datasets/conceptual-12m. */
  cc12m: { format: 'tsv', header: false, url: 0, caption: 1 },
  /** LAION-400M and the sets of LAION-5B, as img2dataset's examples read them. */
  laion: { format: 'parquet', url: 'URL', caption: 'TEXT' },
  /** COYO-700M: https://github.com/kakaobrain/coyo-dataset. */
  coyo: { format: 'parquet', url: 'url', caption: 'text' },
  /** The subset of YFCC100M that CLIP used, with the captions of DALL·E Mini. */
  'yfcc100m-subset': {
    format: 'tsv',
    url: 'url',
    caption: 'caption',
    captions: { decodeUrl: true, removeHtml: true, collapseSpaces: true },
  },
} satisfies Readonly<Record<PresetName, Preset>>;

/** The names of the presets. */
export type PresetName = 'cc3m' | 'cc12m' | 'laion' | 'coyo' | 'yfcc100m-subset';

export const presetNames = Object.keys(presets) as PresetName[];
