import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageTokenizer } from '@dalle-mini/vqgan';
import { checkIndex, type Dataset, type Sample } from '../dataset.js';
import { makeFolder, readBytes, readTextIfPresent, writeFileAtomically } from '../files.js';
import { JsonFields, parseJson } from '../json-fields.js';
import { groupIndices } from '../sampler.js';

/** A sample whose image has been encoded. */
export interface TokenSample {
  readonly key: string;
  /** `gridSize²` tokens in raster order, each in `[0, vocabularySize)`. */
  readonly tokens: Int32Array;
  readonly captions: readonly string[];
  readonly group?: string;
}

export interface WriteTokenShardsOptions {
  /** Images that the tokenizer encodes at once; 8 by default. */
  readonly batchSize?: number;
  /** Samples a shard; 4096 by default. What a killed run loses, and what a reader holds in memory at least. */
  readonly shardSize?: number;
  /** Stops the work: the promise rejects with the signal's reason; a later call goes on after the last whole shard. */
  readonly signal?: AbortSignal;
  /** Called after each batch with how many of `total` samples are encoded. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface OpenTokenShardsOptions {
  /** Bytes of shards that stay in memory, least recently used first out; 256 MiB by default. One shard always stays. */
  readonly cacheBytes?: number;
}

/** Encoded samples on disk. */
export interface TokenDataset extends Dataset<TokenSample> {
  /** Width and height of the token grid. */
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Indices of the samples of each group, for `createSampler`; reads the captions of every shard. */
  groups(): Promise<number[][]>;
}

interface ShardRecord {
  /** Base name of its two files: `<name>.tokens` and `<name>.jsonl`. */
  readonly name: string;
  readonly samples: number;
  readonly tokensSha256: string;
  readonly captionsSha256: string;
}

/** `index.json` of a finished folder; `partial.json`, with the shards so far, of an unfinished one. */
interface ShardIndex {
  readonly format: typeof indexFormat;
  readonly gridSize: number;
  readonly vocabularySize: number;
  /** Type of a token in the `.tokens` files, little-endian. */
  readonly tokenType: 'uint16' | 'uint32';
  /** Samples in all. */
  readonly length: number;
  /** Samples in each shard but the last. */
  readonly shardSize: number;
  readonly shards: readonly ShardRecord[];
}

const indexFormat = 'dalle-mini-token-shards';
const indexName = 'index.json';
const partialName = 'partial.json';
/** Most tokens along the side of a grid: as many as the largest image has pixels. */
const gridSizeLimit = 8192;
const sha256Pattern = /^[0-9a-f]{64}$/;
const writeAgain = 'Delete the folder and write the token shards again.';

/**
 * Encodes every image of a dataset once and writes the tokens, with captions, into `folder`: for each shard a `.tokens` file (tokens
 * of its samples one after the other, little-endian) and a `.jsonl` file (key, captions and group, a line a sample), and at the end
 * `index.json`, which names them and their SHA-256.
 *
 * Where an earlier run was stopped, the next goes on after its last whole shard. A finished folder is left as it is. Either way
 * the last sample is encoded anew and compared, so that shards of another tokenizer or dataset are not mixed in.
 *
 * @throws If the images are not of the tokenizer's size, if the folder holds shards of other data or another tokenizer, if the disk
 *   refuses, and with the signal's reason when it aborts.
 */
export async function writeTokenShards(
  dataset: Dataset<Sample>,
  tokenizer: ImageTokenizer,
  folder: string,
  options: WriteTokenShardsOptions = {},
): Promise<void> {
  const { batchSize = 8, shardSize = 4096, signal, onProgress } = options;
  for (const [name, value] of Object.entries({ batchSize, shardSize })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} is ${value}; expected an integer of at least 1.`);
  }
  signal?.throwIfAborted();
  if (dataset.length === 0) throw new Error('The dataset is empty: there is nothing to encode.');
  await makeFolder(folder);
  const finished = await readIndex(folder, indexName);
  const earlier = finished ?? (await readIndex(folder, partialName));
  const { gridSize, vocabularySize } = tokenizer;
  const index: ShardIndex = {
    format: indexFormat,
    gridSize,
    vocabularySize,
    tokenType: vocabularySize <= 2 ** 16 ? 'uint16' : 'uint32',
    length: dataset.length,
    shardSize,
    shards: earlier?.shards ?? [],
  };
  if (earlier) await checkContinues(folder, earlier, index, dataset, tokenizer);
  if (finished) return;

  const shards = [...index.shards];
  for (let start = shards.length * shardSize; start < dataset.length; start += shardSize) {
    const end = Math.min(start + shardSize, dataset.length);
    const tokens = new Int32Array((end - start) * gridSize ** 2);
    const lines: string[] = [];
    let next = readBatch(dataset, start, Math.min(start + batchSize, end));
    for (let position = start; position < end; position += batchSize) {
      signal?.throwIfAborted();
      const samples = await next;
      const following = position + samples.length;
      // The next images are decoded while the tokenizer works.
      next = readBatch(dataset, following, Math.min(following + batchSize, end));
      next.catch(() => undefined);
      const grids = await encode(tokenizer, samples, signal);
      grids.forEach((grid, offset) => {
        tokens.set(grid, (position - start + offset) * gridSize ** 2);
      });
      lines.push(...samples.map(({ key, captions, group }) => `${JSON.stringify({ key, captions, group })}\n`));
      onProgress?.({ done: following, total: dataset.length });
    }
    const name = shardName(shards.length);
    const tokenBytes = toBytes(tokens, index.tokenType);
    const captionBytes = new TextEncoder().encode(lines.join(''));
    await writeFileAtomically(join(folder, `${name}.tokens`), tokenBytes);
    await writeFileAtomically(join(folder, `${name}.jsonl`), captionBytes);
    shards.push({ name, samples: end - start, tokensSha256: sha256(tokenBytes), captionsSha256: sha256(captionBytes) });
    await writeFileAtomically(join(folder, partialName), JSON.stringify({ ...index, shards }));
  }
  await writeFileAtomically(join(folder, indexName), `${JSON.stringify({ ...index, shards }, null, 2)}\n`);
  await rm(join(folder, partialName), { force: true });
}

/**
 * Opens a folder that {@link writeTokenShards} has finished. Shards are read when first used, and checked: their SHA-256, their number
 * of samples, and that every token is below the vocabulary size.
 *
 * @throws If the folder holds no finished token shards, or a field of its index is wrong. Reading throws if a shard is damaged.
 */
export async function openTokenShards(folder: string, options: OpenTokenShardsOptions = {}): Promise<TokenDataset> {
  const { cacheBytes = 256 * 1024 ** 2 } = options;
  const index = await readIndex(folder, indexName);
  if (!index) {
    const unfinished = (await readTextIfPresent(join(folder, partialName))) !== undefined;
    throw new Error(
      unfinished
        ? `${folder} holds token shards that are not finished: run writeTokenShards again, it goes on where it was.`
        : `${folder} holds no token shards (${indexName} is missing): write them with writeTokenShards.`,
    );
  }
  const { length, shardSize, gridSize, vocabularySize } = index;
  const shards = new ShardCache(folder, index, cacheBytes);
  return {
    length,
    gridSize,
    vocabularySize,
    async get(position) {
      checkIndex(position, length);
      const shard = await shards.load(Math.floor(position / shardSize));
      return shard.sample(position % shardSize);
    },
    async groups() {
      const samples: { group?: string }[] = [];
      for (let number = 0; number < index.shards.length; number++) {
        const shard = await shards.load(number);
        for (let offset = 0; offset < shard.length; offset++) samples.push({ group: shard.describe(offset).group });
      }
      return groupIndices(samples);
    },
  };
}

/** One shard in memory: the bytes of its files, parsed a sample at a time. */
class Shard {
  /** Where each line of the captions starts, and where the last one ends. */
  private readonly lineStarts: Uint32Array;

  /** @param path Path of its files, without their endings. */
  constructor(
    private readonly path: string,
    private readonly index: ShardIndex,
    readonly length: number,
    private readonly tokenBytes: Uint8Array,
    private readonly captionBytes: Uint8Array,
  ) {
    const { tokenType, gridSize, vocabularySize } = index;
    const count = length * gridSize ** 2;
    const byteLength = count * bytesPerToken[tokenType];
    if (tokenBytes.length !== byteLength) {
      throw new Error(`${path}.tokens must have ${byteLength} bytes, not ${tokenBytes.length}. ${writeAgain}`);
    }
    const token = tokenReader(tokenBytes, tokenType);
    for (let place = 0; place < count; place++) {
      if (token(place) < vocabularySize) continue;
      throw new Error(
        `Token ${place} of ${path}.tokens must be below the vocabulary size ${vocabularySize}, not ${token(place)}. ${writeAgain}`,
      );
    }
    this.lineStarts = new Uint32Array(length + 1);
    let end = 0;
    for (let line = 1; line <= length; line++) {
      end = captionBytes.indexOf(10, end) + 1;
      if (end === 0) throw new Error(`${path}.jsonl must have ${length} lines, not ${line - 1}. ${writeAgain}`);
      this.lineStarts[line] = end;
    }
    if (end !== captionBytes.length)
      throw new Error(`${path}.jsonl must have ${length} lines, not more. ${writeAgain}`);
  }

  get byteLength(): number {
    return this.tokenBytes.length + this.captionBytes.length;
  }

  /** What is known of a sample without its tokens. */
  describe(offset: number): Omit<TokenSample, 'tokens'> {
    const line = this.captionBytes.subarray(this.lineStarts[offset], this.lineStarts[offset + 1]);
    const place = `${this.path}.jsonl, line ${offset + 1}`;
    const fields = new JsonFields(parseJson(new TextDecoder().decode(line), place, writeAgain), place, writeAgain);
    return {
      key: fields.string('key'),
      captions: fields.strings('captions'),
      ...(fields.has('group') && { group: fields.string('group') }),
    };
  }

  sample(offset: number): TokenSample {
    const { gridSize, tokenType } = this.index;
    const token = tokenReader(this.tokenBytes, tokenType);
    const start = offset * gridSize ** 2;
    return {
      ...this.describe(offset),
      tokens: Int32Array.from({ length: gridSize ** 2 }, (_, place) => token(start + place)),
    };
  }
}

/** The shards in use, least recently used first. */
class ShardCache {
  private readonly shards = new Map<number, Promise<Shard>>();
  /** Bytes of those that have been read. */
  private readonly sizes = new Map<number, number>();
  private readonly verified = new Set<number>();
  private bytes = 0;

  constructor(
    private readonly folder: string,
    private readonly index: ShardIndex,
    private readonly cacheBytes: number,
  ) {}

  load(number: number): Promise<Shard> {
    const shard = this.shards.get(number) ?? this.read(number);
    this.shards.delete(number);
    this.shards.set(number, shard);
    return shard;
  }

  private async read(number: number): Promise<Shard> {
    try {
      const shard = await readShard(this.folder, this.index, number, !this.verified.has(number));
      this.verified.add(number);
      this.sizes.set(number, shard.byteLength);
      this.bytes += shard.byteLength;
      this.evict(number);
      return shard;
    } catch (error) {
      this.shards.delete(number);
      throw error;
    }
  }

  /** Forgets the shards longest unused until the rest fits, but never the one just read. */
  private evict(latest: number): void {
    for (const number of this.shards.keys()) {
      const size = this.sizes.get(number);
      if (this.bytes <= this.cacheBytes) return;
      if (number === latest || size === undefined) continue;
      this.shards.delete(number);
      this.sizes.delete(number);
      this.bytes -= size;
    }
  }
}

async function readShard(folder: string, index: ShardIndex, number: number, verify: boolean): Promise<Shard> {
  const { name, samples, tokensSha256, captionsSha256 } = index.shards[number]!;
  const read = async (path: string, expected: string) => {
    const bytes = await readBytes(path);
    if (verify && sha256(bytes) !== expected) {
      throw new Error(
        `${path} is damaged: its SHA-256 is not the one in ${indexName}. Copy it again, or delete ${folder} and write the token shards again.`,
      );
    }
    return bytes;
  };
  const path = join(folder, name);
  const tokens = await read(`${path}.tokens`, tokensSha256);
  const captions = await read(`${path}.jsonl`, captionsSha256);
  return new Shard(path, index, samples, tokens, captions);
}

async function readIndex(folder: string, name: string): Promise<ShardIndex | undefined> {
  const path = join(folder, name);
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const fields = new JsonFields(parseJson(text, path, writeAgain), path, writeAgain);
  const format = fields.oneOf('format', [indexFormat]);
  const gridSize = fields.integer('gridSize', 1, gridSizeLimit);
  const vocabularySize = fields.integer('vocabularySize', 1, 2 ** 31);
  const tokenType = fields.oneOf('tokenType', ['uint16', 'uint32']);
  const length = fields.integer('length', 1, Number.MAX_SAFE_INTEGER);
  const shardSize = fields.integer('shardSize', 1, Number.MAX_SAFE_INTEGER);
  const records = fields.array('shards');
  const count = Math.ceil(length / shardSize);
  if (name === indexName ? records.length !== count : records.length > count) {
    throw new Error(
      `shards in ${path} must list ${count} shards of ${shardSize} samples, not ${records.length}. ${writeAgain}`,
    );
  }
  const shards = records.map((record, number): ShardRecord => {
    const shard = new JsonFields(record, `shards[${number}] in ${path}`, writeAgain);
    const samples = Math.min(shardSize, length - number * shardSize);
    return {
      name: shard.oneOf('name', [shardName(number)]),
      samples: shard.integer('samples', samples, samples),
      tokensSha256: shard.string('tokensSha256', sha256Pattern, 'a SHA-256 in hexadecimal'),
      captionsSha256: shard.string('captionsSha256', sha256Pattern, 'a SHA-256 in hexadecimal'),
    };
  });
  return { format, gridSize, vocabularySize, tokenType, length, shardSize, shards };
}

function shardName(number: number): string {
  return `shard-${String(number).padStart(6, '0')}`;
}

/** Throws unless an earlier run's shards are what this run would have written. */
async function checkContinues(
  folder: string,
  earlier: ShardIndex,
  index: ShardIndex,
  dataset: Dataset<Sample>,
  tokenizer: ImageTokenizer,
): Promise<void> {
  const mend = `Choose another folder, or delete ${folder} to write all anew.`;
  for (const field of ['gridSize', 'vocabularySize', 'tokenType', 'length', 'shardSize'] as const) {
    if (earlier[field] === index[field]) continue;
    throw new Error(`${folder} holds token shards with ${field} ${earlier[field]}, now it is ${index[field]}. ${mend}`);
  }
  const number = earlier.shards.length - 1;
  if (number < 0) return;
  const shard = await readShard(folder, earlier, number, true);
  const written = shard.sample(shard.length - 1);
  const sample = await dataset.get(number * earlier.shardSize + shard.length - 1);
  if (written.key !== sample.key) {
    throw new Error(`${folder} holds token shards of other data: ${written.key} where ${sample.key} is now. ${mend}`);
  }
  const [grid] = await encode(tokenizer, [sample]);
  const equal = written.tokens.filter((token, place) => token === grid![place]).length;
  // Machines round differently, which may change a few tokens; another tokenizer changes nearly all.
  if (equal < written.tokens.length / 2) {
    throw new Error(
      `${folder} holds token shards of another tokenizer: it wrote ${sample.key} in other tokens. ${mend}`,
    );
  }
}

function readBatch(dataset: Dataset<Sample>, start: number, end: number): Promise<Sample[]> {
  return Promise.all(Array.from({ length: Math.max(0, end - start) }, (_, offset) => dataset.get(start + offset)));
}

/** Encodes images and checks what goes in and what comes out, since it will be trusted for a long time. */
async function encode(
  tokenizer: ImageTokenizer,
  samples: readonly Sample[],
  signal?: AbortSignal,
): Promise<Int32Array[]> {
  const { imageSize, gridSize, vocabularySize } = tokenizer;
  for (const { key, image, captions } of samples) {
    if (captions.length === 0) {
      throw new Error(`The image ${key} must have at least one caption, not none. Add one or remove the image.`);
    }
    if (image.width === imageSize && image.height === imageSize) continue;
    throw new Error(
      `The image ${key} is ${image.width}×${image.height}, the tokenizer reads ${imageSize}×${imageSize}: ` +
        `open the dataset with imageSize ${imageSize}.`,
    );
  }
  const grids = await tokenizer.encode(
    samples.map(({ image }) => image),
    { signal },
  );
  grids.forEach((grid, position) => {
    const bad =
      grid.length === gridSize ** 2 ? grid.find((token) => token < 0 || token >= vocabularySize) : grid.length;
    if (bad === undefined) return;
    throw new Error(
      `The tokenizer encoded ${samples[position]!.key} as ${grid.length} tokens, one of them ${bad}: ` +
        `expected ${gridSize ** 2} tokens from 0 to ${vocabularySize - 1}.`,
    );
  });
  return grids;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const bytesPerToken = { uint16: 2, uint32: 4 } as const;

function toBytes(tokens: Int32Array, type: ShardIndex['tokenType']): Uint8Array {
  const width = bytesPerToken[type];
  const bytes = new Uint8Array(tokens.length * width);
  const view = new DataView(bytes.buffer);
  tokens.forEach((token, place) => {
    if (type === 'uint16') view.setUint16(place * width, token, true);
    else view.setUint32(place * width, token, true);
  });
  return bytes;
}

/** Reads the token at a place of a `.tokens` file. */
function tokenReader(bytes: Uint8Array, type: ShardIndex['tokenType']): (place: number) => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return type === 'uint16' ? (place) => view.getUint16(place * 2, true) : (place) => view.getUint32(place * 4, true);
}
