import { createRandom } from '@dalle-mini/core';
import { importDecoder, importDecoderConfig } from '@dalle-mini/decoder';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { dequantize } from '@dalle-mini/graph/stored';
import type { BartPart, DecoderPart, TextToImage, VqganPart } from '@dalle-mini/pipeline';
import { importTextEncoder, importTextEncoderConfig } from '@dalle-mini/text-encoder';
import { type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';
import { type Checkpoint, toInt32 } from '@dalle-mini/weights';
import { released, whole } from './published.js';

/** The tensors of DALL·E Mini as the published code saved them, in smaller sizes. */
export const publishedTensors = (): Checkpoint =>
  released(new Map([...whole.tensors].filter(([name]) => /^(model|lm_head)\./.test(name))));

/** Its `config.json`. */
export const publishedConfig = { ...whole.description.config, decoder_start_token_id: 20 };

/** The fixture's captions, whose tokens are 11, 7, 25, 18 and 4, 29. */
export const captions = ['hdvo', 'az'];
const letters = Object.fromEntries([...'abcdefghijklmnopqrstuvwxyz'].map((letter, i) => [letter, i + 4]));
const { b: id, ...others } = letters;
export const vocab = { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, ...others, yx: id };
export const merges = '#version: 0.2\ny x\n';

/** Returns the tokens that the published code generates from the captions. */
export function tokensOf(tensor: 'greedy_tokens' | 'guided_greedy_tokens'): number[][] {
  const tokens = [...toInt32(whole.tensors.get(tensor)!)];
  return [tokens.slice(0, 16), tokens.slice(16)];
}

/** Returns the most likely tokens of a model for the captions. */
export async function greedy(model: TextToImage, guidanceScale: number): Promise<number[][]> {
  const grids: number[][] = [];
  for (const caption of captions) {
    const [picture] = await model.generate(caption, { temperature: 0, guidanceScale });
    grids.push([...picture!.tokens]);
  }
  return grids;
}

/** A random VQ-GAN for grids of 4 × 4 tokens, by default of the fixture's 20, in sizes that vqgan-jax can have. */
export function randomVqgan(nEmbed = 20): VqganPart {
  const config: VqganConfig = {
    resolution: 8,
    inChannels: 3,
    ch: 32,
    chMult: [1, 2],
    numResBlocks: 1,
    attnResolutions: [4],
    zChannels: 8,
    embedDim: 4,
    nEmbed,
  };
  const parameters = initializeParameters(vqganParameters(config), 1);
  const random = createRandom(2);
  const codes = parameters.get('quantize.embedding.weight')!.data;
  for (let i = 0; i < codes.length; i++) codes[i] = random.normal();
  return { config, parameters };
}

/** The parts of the published model, with a random VQ-GAN. */
export function publishedParts() {
  const config = importTextEncoderConfig(publishedConfig);
  const decoderConfig = importDecoderConfig(publishedConfig);
  const textEncoder: BartPart = {
    config,
    parameters: dequantize(importTextEncoder(publishedTensors(), config)),
    tokenizer: 'bart',
    tokenizerFiles: { 'vocab.json': JSON.stringify(vocab), 'merges.txt': merges },
  };
  const decoder: DecoderPart = {
    config: decoderConfig,
    parameters: dequantize(importDecoder(publishedTensors(), decoderConfig)),
  };
  return { textEncoder, decoder, imageTokenizer: randomVqgan() };
}
