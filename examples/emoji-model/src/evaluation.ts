/** The figures of the model card. */
import {
  type ImageTokenDecoder,
  type ImageTokenizer,
  type RgbImage,
  type SamplingOptions,
  shuffled,
  type TextEncoder,
} from '@dalle-mini/core';
import type { Sample } from '@dalle-mini/data';
import type { EmojiDataset } from '@dalle-mini/data/emoji';
import { type DecoderConfig, teacherForced } from '@dalle-mini/decoder';
import { crossEntropy, input, mean, ParameterScope, type Runtime, type TensorData } from '@dalle-mini/graph';
import { nearest, pictureFeature } from './picture-feature.js';
import { splitOf } from './recipe.js';

/** Computes the mean cross entropy per token, in nats, of images given their first captions. */
export async function evaluateTokenLoss(
  {
    config,
    parameters,
    runtime,
    tokenizer,
    encoder,
  }: {
    readonly config: DecoderConfig;
    readonly parameters: ReadonlyMap<string, TensorData>;
    readonly runtime: Runtime;
    readonly tokenizer: ImageTokenizer;
    readonly encoder: TextEncoder;
  },
  samples: readonly Sample[],
  batchSize = 32,
): Promise<number> {
  const shapes = {
    tokens: [batchSize, config.gridSize ** 2],
    hiddenStates: [batchSize, encoder.maxLength, encoder.width],
    attentionMask: [batchSize, encoder.maxLength],
  };
  const tokens = input('tokens', shapes.tokens, 'int32');
  const hiddenStates = input('hiddenStates', shapes.hiddenStates);
  const attentionMask = input('attentionMask', shapes.attentionMask, 'int32');
  const logits = teacherForced(new ParameterScope(), config, tokens, { hiddenStates, attentionMask });
  const graph = {
    inputs: { tokens, hiddenStates, attentionMask },
    outputs: { loss: mean(crossEntropy(logits, tokens)) },
  };
  const executable = await runtime.compile(graph, { parameters });
  let total = 0;
  const batches = Math.floor(samples.length / batchSize);
  for (let batch = 0; batch < batches; batch++) {
    const part = samples.slice(batch * batchSize, (batch + 1) * batchSize);
    const grids = await tokenizer.encode(part.map(({ image }) => image));
    const text = await encoder.encode(part.map(({ captions }) => captions[0]!));
    const { loss } = await executable.run({
      tokens: { dtype: 'int32', shape: shapes.tokens, data: Int32Array.from(grids.flatMap((grid) => [...grid])) },
      hiddenStates: { dtype: 'float32', shape: shapes.hiddenStates, data: text.hiddenStates },
      attentionMask: { dtype: 'int32', shape: shapes.attentionMask, data: text.attentionMask },
    });
    total += loss!.data[0]!;
  }
  await executable.dispose();
  return total / batches;
}

export interface ConceptFigures {
  readonly captions: number;
  /** How often the nearest real picture shows the concept of the caption. */
  readonly top1: number;
  /** How often one of the five nearest real pictures does. */
  readonly top5: number;
  /** The generated pictures and their captions, in the order of the draw. */
  readonly drawn: readonly { readonly caption: string; readonly image: RgbImage; readonly found: boolean }[];
}

/** Computes the features of all images, among which those of generated ones are searched. */
export async function galleryOf(emoji: EmojiDataset): Promise<Float32Array[]> {
  const gallery: Float32Array[] = [];
  for (let i = 0; i < emoji.length; i++) gallery.push(pictureFeature((await emoji.get(i)).image));
  return gallery;
}

/**
 * Generates one image for each of some trained concepts, selected by a seed, from its plain label. Then finds the nearest real image (see
 * `pictureFeature`), and checks whether it shows the same concept.
 */
export async function evaluateConcepts(
  {
    tokenizer,
    encoder,
    decoder,
  }: { readonly tokenizer: ImageTokenizer; readonly encoder: TextEncoder; readonly decoder: ImageTokenDecoder },
  emoji: EmojiDataset,
  {
    count,
    seed,
    sampling,
    gallery,
  }: {
    readonly count: number;
    readonly seed: number;
    readonly sampling: SamplingOptions;
    /** That of `galleryOf(emoji)`, if it is known. */
    readonly gallery?: readonly Float32Array[];
  },
): Promise<ConceptFigures> {
  // A concept's label is that of its drawing without a skin tone.
  const labels = new Map<string, string>();
  for (const entry of emoji.entries) {
    const { concept, hexcode, captions } = entry;
    if (splitOf(entry) === 'train' && hexcode.replaceAll('-FE0F', '') === concept) labels.set(concept, captions[0]!);
  }
  const chosen = shuffled([...labels.keys()].sort(), 'concepts', seed).slice(0, count);
  const known = gallery ?? (await galleryOf(emoji));

  const unconditional = decoder.needsUnconditional === false ? undefined : await encoder.encode(['']);
  const drawn: { caption: string; image: RgbImage; found: boolean }[] = [];
  let top1 = 0;
  let top5 = 0;
  const batchSize = 10;
  for (let start = 0; start < chosen.length; start += batchSize) {
    const concepts = chosen.slice(start, start + batchSize);
    const captions = concepts.map((concept) => labels.get(concept)!);
    const text = await encoder.encode(captions);
    const images = await tokenizer.decode(
      await decoder.generate(text, { ...sampling, seed: seed + start, unconditional }),
    );
    for (const [i, concept] of concepts.entries()) {
      const found = nearest(pictureFeature(images[i]!), known, 5).map((index) => emoji.entries[index]!.concept);
      if (found[0] === concept) top1++;
      if (found.includes(concept)) top5++;
      drawn.push({ caption: captions[i]!, image: images[i]!, found: found[0] === concept });
    }
  }
  return { captions: chosen.length, top1: top1 / chosen.length, top5: top5 / chosen.length, drawn };
}
