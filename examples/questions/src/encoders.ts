/** The text encoders of the study. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TextEncoder, TextEncoding } from '@dalle-mini/core';
import { parametersOf, type Runtime, type TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import {
  type BertConfig,
  bertGraph,
  type HuggingFaceFiles,
  HuggingFaceTextEncoder,
  loadTextEncoder,
  TokenTextEncoder,
} from '@dalle-mini/text-encoder';
import { emojiNamingTokenizer, type TextTokenizer, tokenizerFromFiles } from '@dalle-mini/text-encoder/tokenizers';
import { type TrainedTextEncoder, textEncoderParameters, trainedTextEncoder } from '@dalle-mini/train';
import { toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import type { StudyData } from './data.js';
import { type EncoderName, maxCaptionLength, type TextVariant } from './grid.js';

/** Captions that are encoded at once. */
const batchSize = 16;

export class TextEncoders {
  private readonly frozen = new Map<string, CachedTextEncoder>();
  private readonly bundled: HuggingFaceFiles;

  /** @param folder Has what `encoders.py` wrote. */
  constructor(
    private readonly data: Pick<StudyData, 'captions' | 'model'>,
    private readonly folder: string,
    private readonly runtime: Runtime,
  ) {
    this.bundled = (data.model.textEncoder as { files: HuggingFaceFiles }).files;
  }

  /** Whether the files of an encoder are there. */
  async has(name: EncoderName): Promise<boolean> {
    if (name === 'all-MiniLM-L6-v2') return true;
    return access(join(this.folder, name)).then(
      () => true,
      () => false,
    );
  }

  /** Opens a frozen encoder. All runs share it, and what it has encoded. */
  async openFrozen({ encoder = 'all-MiniLM-L6-v2', layers }: TextVariant): Promise<TextEncoder> {
    const key = `${encoder}/${layers ?? 'all'}`;
    const known = this.frozen.get(key);
    if (known) return known;
    const cached = new CachedTextEncoder(await this.load(encoder, layers));
    // Now, so that the time of steps has none of it.
    await cached.encode(this.data.captions);
    this.frozen.set(key, cached);
    return cached;
  }

  private async load(name: EncoderName, layers: number | undefined): Promise<TextEncoder> {
    const path = (file: string) => join(this.folder, name, file);
    const weights = async () => (await readCheckpointFile(path('model.safetensors'))).tensors;
    const text = async (file: string) => readFile(path(file), 'utf8');
    const vectors = async (tokenizer: object) => {
      const table = (await weights()).get('embeddings')!;
      const [, width] = table.shape as [number, number];
      return new WordVectors(await tokenizerFromFiles(tokenizer), scaled(toFloat32(table)), width);
    };
    switch (name) {
      case 'glove-6b-50d':
        return vectors({ vocab: await text('vocab.txt') });
      case 'static-64d':
        return vectors(JSON.parse(await text('tokenizer.json')));
      case 'paraphrase-MiniLM-L3-v2': {
        const files = { ...this.bundled, config: JSON.parse(await text('config.json')), weights: await weights() };
        return this.openBert(files);
      }
      default:
        return this.openBert(this.firstLayers(layers));
    }
  }

  private openBert(files: HuggingFaceFiles): Promise<TextEncoder> {
    return loadTextEncoder(files, { runtime: this.runtime, maxLength: maxCaptionLength, batchSize, emojiNames: true });
  }

  /** MiniLM with some of its layers. */
  private firstLayers(layers: number | undefined): HuggingFaceFiles {
    const { bundled: files } = this;
    if (layers === undefined) return files;
    const isKept = (name: string) => Number(/(?:^|\.)layer\.(\d+)\./.exec(name)?.[1] ?? 0) < layers;
    return {
      ...files,
      config: { ...files.config, num_hidden_layers: layers },
      weights: new Map([...files.weights].filter(([name]) => isKept(name))),
    };
  }

  /** Prepares MiniLM for training, with embeddings of the words of the captions only. */
  async openTrained({ layers, training }: TextVariant, seed: number): Promise<TrainedTextEncoder> {
    const whole = await trainedTextEncoder(this.firstLayers(layers), maxCaptionLength);
    const { tokenizer, ids } = this.narrow(whole.tokenizer);
    const config: BertConfig = { ...(whole.config as BertConfig), vocabularySize: ids.length };
    if (training === 'new') {
      const declared = parametersOf(Object.values(bertGraph(config, 1, maxCaptionLength).outputs));
      return { ...whole, config, tokenizer, parameters: initializeParameters(declared, seed) };
    }
    const parameters = new Map(whole.parameters);
    const [name, table] = [...parameters].find(([key]) => key.endsWith('word_embeddings.weight'))!;
    const width = table.shape[1]!;
    const data = new Float32Array(ids.length * width);
    ids.forEach((id, row) => {
      data.set((table.data as Float32Array).subarray(id * width, (id + 1) * width), row * width);
    });
    parameters.set(name, { dtype: 'float32', shape: [ids.length, width], data });
    return { ...whole, config, tokenizer, parameters };
  }

  /** Opens an encoder with the parameters that training has made. */
  openAfterTraining(
    { config, tokenizer }: TrainedTextEncoder,
    trained: ReadonlyMap<string, TensorData>,
  ): HuggingFaceTextEncoder {
    return new HuggingFaceTextEncoder(config as BertConfig, textEncoderParameters(trained), {
      tokenizer,
      runtime: this.runtime,
      maxLength: maxCaptionLength,
      batchSize,
    });
  }

  /** Tokenizes with MiniLM's tokenizer, for decoders with embeddings of words. */
  async openTokens(): Promise<{ encoder: TokenTextEncoder; vocabularySize: number }> {
    const { tokenizer, tokenizerConfig } = this.bundled;
    const whole = emojiNamingTokenizer(await tokenizerFromFiles(tokenizer, tokenizerConfig));
    const { tokenizer: narrow, ids } = this.narrow(whole);
    return { encoder: new TokenTextEncoder(narrow, { maxLength: maxCaptionLength }), vocabularySize: ids.length };
  }

  /** Numbers the tokens that occur in captions from 0, so that models have no embeddings of others. Padding stays 0. */
  private narrow(tokenizer: TextTokenizer): { tokenizer: TextTokenizer; ids: number[] } {
    const ids = [...new Set([0, ...tokenizer.encode(this.data.captions, maxCaptionLength).ids])].sort((a, b) => a - b);
    const rows = new Map(ids.map((id, row) => [id, row]));
    const encode = (captions: readonly string[], maxLength: number) => {
      const batch = tokenizer.encode(captions, maxLength);
      return { ...batch, ids: batch.ids.map((id) => rows.get(id)!) };
    };
    return { tokenizer: { encode }, ids };
  }
}

/** Scales values to a mean square of 1. */
function scaled(values: Float32Array): Float32Array {
  const scale = 1 / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  return values.map((value) => value * scale);
}

/** Hidden states that are the vectors of a table: one of zeros, then one for each token. */
class WordVectors implements TextEncoder {
  readonly maxLength = maxCaptionLength;

  constructor(
    private readonly tokenizer: TextTokenizer,
    private readonly table: Float32Array,
    readonly width: number,
  ) {}

  async encode(captions: readonly string[]): Promise<TextEncoding> {
    const { maxLength, width, table } = this;
    const { ids, attentionMask: mask } = this.tokenizer.encode(captions, maxLength - 1);
    const hiddenStates = new Float32Array(captions.length * maxLength * width);
    const attentionMask = new Int32Array(captions.length * maxLength);
    for (const caption of captions.keys()) {
      const start = caption * maxLength;
      attentionMask[start] = 1;
      for (let i = 1; i < maxLength; i++) {
        const id = ids[start - caption + i - 1]!;
        if (mask[start - caption + i - 1] === 0) continue;
        attentionMask[start + i] = 1;
        hiddenStates.set(table.subarray(id * width, (id + 1) * width), (start + i) * width);
      }
    }
    return { hiddenStates, attentionMask, batch: captions.length, length: maxLength, width };
  }

  async dispose(): Promise<void> {}
}

/** Encodes each caption once, for all runs. */
class CachedTextEncoder implements TextEncoder {
  readonly width: number;
  readonly maxLength: number;
  private readonly known = new Map<string, { hiddenStates: Float32Array; attentionMask: Int32Array }>();

  constructor(private readonly encoder: TextEncoder) {
    this.width = encoder.width;
    this.maxLength = encoder.maxLength;
  }

  async encode(captions: readonly string[]): Promise<TextEncoding> {
    const { width, maxLength: length } = this;
    const missing = [...new Set(captions)].filter((caption) => !this.known.has(caption));
    if (missing.length > 0) {
      const encoding = await this.encoder.encode(missing);
      missing.forEach((caption, i) => {
        this.known.set(caption, {
          hiddenStates: encoding.hiddenStates.slice(i * length * width, (i + 1) * length * width),
          attentionMask: encoding.attentionMask.slice(i * length, (i + 1) * length),
        });
      });
    }
    const hiddenStates = new Float32Array(captions.length * length * width);
    const attentionMask = new Int32Array(captions.length * length);
    captions.forEach((caption, i) => {
      const entry = this.known.get(caption)!;
      hiddenStates.set(entry.hiddenStates, i * length * width);
      attentionMask.set(entry.attentionMask, i * length);
    });
    return { hiddenStates, attentionMask, batch: captions.length, length, width };
  }

  /** Does nothing: runs share it. */
  async dispose(): Promise<void> {}
}
