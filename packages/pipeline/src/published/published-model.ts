import type { SamplingOptions } from '@dalle-mini/core';
import type { AnyDecoderConfig } from '@dalle-mini/decoder';
import type { BartConfig } from '@dalle-mini/text-encoder';
import type { VqganFiles } from '@dalle-mini/vqgan/node';
import type { Checkpoint } from '@dalle-mini/weights';
import type { PublishedDescription } from '../model-folder/model-folder.js';

/** A published model: the configurations of its parts, and functions that read their weights. */
export interface PublishedModel {
  /** The text encoder in `model.json`. */
  readonly textEncoder: PublishedDescription['textEncoder'];
  /** The weights of the text encoder, if it is DALL·E Mini's. */
  readonly bart?: { readonly config: BartConfig; readonly weights: () => Promise<Checkpoint> } | undefined;
  /** Writes the other files of the text encoder into a folder. */
  readonly writeTextEncoderFiles: (to: string) => Promise<void>;
  readonly decoder: AnyDecoderConfig;
  readonly importDecoder: () => Promise<Checkpoint>;
  /** Finds the files of the VQ-GAN, for `readVqganFiles`. */
  readonly vqgan: () => Promise<string | VqganFiles>;
  readonly sampling: SamplingOptions;
}
