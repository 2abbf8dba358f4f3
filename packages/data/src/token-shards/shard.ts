import { list, number, object, optional, parseJsonObject, readConfig, string } from '@dalle-mini/core';
import { DataError } from '../data-error.js';
import { joinPlace, readPlace } from '../remote/files.js';
import { bytesPerToken, indexName, type ShardIndex, sha256, writeAgain } from './index-file.js';

/** A sample with the tokens of its image. */
export interface TokenSample {
  readonly key: string;
  /** `gridSize²` tokens in raster order, each in `[0, vocabularySize)`. */
  readonly tokens: Int32Array;
  readonly captions: readonly string[];
  readonly group?: string | undefined;
  /** How well the image matches its captions, as an `ImageRanker` scores it, such as CLIP. */
  readonly score?: number | undefined;
}

/** A line of a `.jsonl` file. */
export interface StoredSample extends Omit<TokenSample, 'tokens'> {
  /** Hash of the image file, if the dataset describes its samples. */
  readonly image?: string | undefined;
}

const sampleFields = object<StoredSample>(
  {
    key: string({ minLength: 0 }),
    captions: list(string({ minLength: 0 }), { min: 1 }),
    group: optional(string({ minLength: 0 })),
    image: optional(string()),
    score: optional(number()),
  },
  { unknown: 'ignore' },
);

/** One shard in memory: the bytes of its files. Samples are parsed on access. */
export class Shard {
  /** Start of each line of the captions, and the end of the last one. */
  private readonly lineStarts: Uint32Array;

  /** @param path Path of the shard's files, without extensions. */
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
      throw new DataError(`${path}.tokens must have ${byteLength} bytes, not ${tokenBytes.length}. ${writeAgain}`);
    }
    const token = tokenReader(tokenBytes, tokenType);
    for (let place = 0; place < count; place++) {
      if (token(place) < vocabularySize) continue;
      throw new DataError(
        `Token ${place} of ${path}.tokens must be below the vocabulary size ${vocabularySize}, not ${token(place)}. ${writeAgain}`,
      );
    }
    this.lineStarts = new Uint32Array(length + 1);
    let end = 0;
    for (let line = 1; line <= length; line++) {
      end = captionBytes.indexOf(10, end) + 1;
      if (end === 0) throw new DataError(`${path}.jsonl must have ${length} lines, not ${line - 1}. ${writeAgain}`);
      this.lineStarts[line] = end;
    }
    if (end !== captionBytes.length)
      throw new DataError(`${path}.jsonl must have ${length} lines, not more. ${writeAgain}`);
  }

  get byteLength(): number {
    return this.tokenBytes.length + this.captionBytes.length;
  }

  /** Returns a sample without its tokens. */
  describe(offset: number): StoredSample {
    const line = this.captionBytes.subarray(this.lineStarts[offset], this.lineStarts[offset + 1]);
    const place = `${this.path}.jsonl, line ${offset + 1}`;
    return readConfig(
      sampleFields,
      parseJsonObject(new TextDecoder().decode(line), place, writeAgain),
      place,
      writeAgain,
    );
  }

  tokens(offset: number): Int32Array {
    const { gridSize, tokenType } = this.index;
    const token = tokenReader(this.tokenBytes, tokenType);
    const start = offset * gridSize ** 2;
    return Int32Array.from({ length: gridSize ** 2 }, (_, place) => token(start + place));
  }

  sample(offset: number): TokenSample {
    const { image, ...sample } = this.describe(offset);
    return { ...sample, tokens: this.tokens(offset) };
  }
}

export async function readShard(folder: string, index: ShardIndex, number: number, verify: boolean): Promise<Shard> {
  const { name, samples, tokensSha256, captionsSha256 } = index.shards[number]!;
  const read = async (path: string, expected: string) => {
    const bytes = await readPlace(path);
    if (verify && sha256(bytes) !== expected) {
      throw new DataError(
        `${path} is damaged: its SHA-256 is not the one in ${indexName}. Copy it again, or delete ${folder} and write the token shards again.`,
      );
    }
    return bytes;
  };
  const path = joinPlace(folder, name);
  const tokens = await read(`${path}.tokens`, tokensSha256);
  const captions = await read(`${path}.jsonl`, captionsSha256);
  return new Shard(path, index, samples, tokens, captions);
}

/** Returns a function that reads the token at a place of a `.tokens` file. */
function tokenReader(bytes: Uint8Array, type: ShardIndex['tokenType']): (place: number) => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return type === 'uint16' ? (place) => view.getUint16(place * 2, true) : (place) => view.getUint32(place * 4, true);
}
