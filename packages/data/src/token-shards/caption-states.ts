import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { parseJsonObject, quote, readConfig } from '@dalle-mini/core';
import { openFile, userCacheFolder, withFileErrors } from '@dalle-mini/core/node';
import { toFloat32 } from '@dalle-mini/weights';
import { DataError } from '../data-error.js';
import { RecentlyUsed } from '../recently-used.js';
import { RemoteCache } from '../remote/cache.js';
import { joinPlace, readPlace } from '../remote/files.js';
import { readExactly } from '../sources/tar-index.js';
import { type CaptionEncoder, describeEncoder, isSameEncoder } from './caption-encoder.js';
import { sha256 } from './index-file.js';
import type { ShardPlace } from './shard-cache.js';
import {
  encodeAgain,
  hasAllStates,
  readStatesIndex,
  type StatesIndex,
  type StatesRecord,
  statesLineFields,
  statesName,
} from './states-file.js';

/** The hidden states of a caption. */
export interface CaptionStates {
  /** `[tokens, width]`, without padding. */
  readonly hiddenStates: Float32Array;
  /** `[tokens]`: 1 for a token, 0 for one that is not attended to. */
  readonly attentionMask: Int32Array;
}

/** Hidden states of captions, which `encodeCaptions` has stored. */
export interface StoredHiddenStates {
  readonly encoder: CaptionEncoder;
  /**
   * Reads the hidden states of a caption.
   *
   * @param index The index of a sample.
   * @param caption One of its captions, or the empty one.
   * @throws DataError if the sample has no such caption, or the file is damaged.
   */
  get(index: number, caption: string): Promise<CaptionStates>;
}

/** Shards of a web server or a bucket whose hidden states are on the disk, and shards whose captions are in memory. */
const mostShards = 16;

/** Where a caption's states are in a file. */
interface Entry {
  readonly start: number;
  readonly tokens: number;
  readonly mask?: readonly number[] | undefined;
}

/**
 * Opens the hidden states of shards.
 *
 * @param locate Finds the shard of a sample.
 * @returns `undefined` if there are none.
 * @throws DataError if some shards have states and others do not, if they are of different encoders, or unfinished.
 */
export async function openHiddenStates(
  places: readonly ShardPlace[],
  locate: (index: number) => number,
): Promise<StoredHiddenStates | undefined> {
  const folders = [...new Set(places.map(({ folder }) => folder))];
  const indices = new Map(
    await Promise.all(folders.map(async (folder) => [folder, await readStatesIndex(folder)] as const)),
  );
  const encoder = commonEncoder(indices);
  if (encoder === undefined) return undefined;
  for (const { folder, index } of places)
    if (!hasAllStates(index, indices.get(folder)!))
      throw new DataError(
        `${folder} has captions without hidden states. Encode its captions again: what is done stays. ${orCompute}`,
      );
  const files = new RemoteCache(userCacheFolder('states'), { most: mostShards });
  const shards = new RecentlyUsed<number, StatesShard>(mostShards);
  const load = (number: number) => {
    const { folder, index, number: own } = places[number]!;
    const path = joinPlace(folder, index.shards[own]!.name);
    return shards.get(number, () => StatesShard.open(path, indices.get(folder)!.shards[own]!, encoder.width, files));
  };
  return { encoder, get: async (index, caption) => (await load(locate(index))).get(caption) };
}

const orCompute = 'To train without them, set hiddenStates to "computed".';

function commonEncoder(indices: ReadonlyMap<string, StatesIndex | undefined>): CaptionEncoder | undefined {
  const [[, first] = [], ...others] = indices;
  const [firstFolder] = indices.keys();
  for (const [folder, states] of others) {
    if (first && states && isSameEncoder(first.encoder, states.encoder)) continue;
    if (first === undefined && states === undefined) continue;
    const has = (index: StatesIndex | undefined) =>
      index ? `hidden states of ${describeEncoder(index.encoder)}` : 'no hidden states';
    throw new DataError(
      `All token shards must have hidden states of the same text encoder: ${folder} has ${has(states)}, and ${firstFolder} has ${has(first)}. ` +
        `Encode the captions of both. ${orCompute}`,
    );
  }
  return first?.encoder;
}

/** The states of one shard: where each caption's are in its file. */
class StatesShard {
  private constructor(
    /** The path or address of the file of states. */
    private readonly place: string,
    private readonly entries: ReadonlyMap<string, Entry>,
    private readonly width: number,
    private readonly files: RemoteCache,
  ) {}

  /** @param path The path or address of the shard's files, without extensions. */
  static async open(path: string, record: StatesRecord, width: number, files: RemoteCache): Promise<StatesShard> {
    const linesPlace = `${path}.states.jsonl`;
    const bytes = await readPlace(linesPlace);
    if (sha256(bytes) !== record.linesSha256) throw damaged(linesPlace);
    const entries = new Map<string, Entry>();
    let start = 0;
    for (const [number, line] of new TextDecoder().decode(bytes).trimEnd().split('\n').entries()) {
      const at = `${linesPlace}, line ${number + 1}`;
      const { caption, tokens, mask } = readConfig(
        statesLineFields,
        parseJsonObject(line, at, encodeAgain),
        at,
        encodeAgain,
      );
      entries.set(caption, { start, tokens, mask });
      start += tokens;
    }
    const place = `${path}.states`;
    await files.use(place, async (local) => {
      if ((await hashOfFile(local)) !== record.statesSha256) throw damaged(place);
    });
    return new StatesShard(place, entries, width, files);
  }

  async get(caption: string): Promise<CaptionStates> {
    const { place, width } = this;
    const entry = this.entries.get(caption);
    if (entry === undefined)
      throw new DataError(`${place} has no hidden states of ${quote(caption)}. Encode the captions again.`);
    const { start, tokens, mask } = entry;
    const bytes = await this.files.use(place, async (path) => {
      const file = await openFile(path);
      try {
        return await withFileErrors('read', path, () => readExactly(file, path, start * width * 2, tokens * width * 2));
      } finally {
        await file.close();
      }
    });
    return {
      hiddenStates: toFloat32({ dtype: 'F16', shape: [tokens, width], bytes }),
      attentionMask: mask ? Int32Array.from(mask) : new Int32Array(tokens).fill(1),
    };
  }
}

const damaged = (place: string) =>
  new DataError(
    `${place} is damaged: its SHA-256 is not the one in ${statesName}. Delete ${statesName} and encode the captions again.`,
  );

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await withFileErrors('read', path, async () => {
    for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(part as Buffer);
  });
  return hash.digest('hex');
}
