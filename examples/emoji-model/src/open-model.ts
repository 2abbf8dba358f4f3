import type { SamplingOptions, TextEncoder } from '@dalle-mini/core';
import { checkDecoderConfig, DalleMiniDecoder, type DecoderConfig } from '@dalle-mini/decoder';
import type { Runtime, TensorData } from '@dalle-mini/graph';
import { readModelFolder } from '@dalle-mini/pipeline';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { VqganTokenizer } from '@dalle-mini/vqgan';

/** The parts of a model folder, as they are measured. */
export interface OpenedModel {
  readonly tokenizer: VqganTokenizer;
  readonly encoder: TextEncoder;
  readonly decoder: DalleMiniDecoder;
  readonly config: DecoderConfig;
  /** Those of the decoder. */
  readonly parameters: ReadonlyMap<string, TensorData>;
  readonly sampling: SamplingOptions;
}

/** Opens the three networks of a model folder whose decoder is one of DALL·E Mini's kind. */
export async function openModel(folder: string, runtime: Runtime): Promise<OpenedModel> {
  const { imageTokenizer, textEncoder, decoder, sampling = {} } = await readModelFolder(folder);
  const { parameters } = decoder;
  const config = checkDecoderConfig(decoder.config);
  return {
    tokenizer: new VqganTokenizer(imageTokenizer.config, imageTokenizer.parameters, { runtime }),
    encoder: await loadTextEncoder(textEncoder.files, { runtime, maxLength: textEncoder.maxLength }),
    decoder: new DalleMiniDecoder(config, parameters, { runtime }),
    config,
    parameters,
    sampling,
  };
}
