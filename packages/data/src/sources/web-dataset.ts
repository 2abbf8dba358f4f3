import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readOptions } from '@dalle-mini/core';
import { withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { imageExtensions } from './captions.js';
import type { Listing, Omission, OmissionReason, SourceEntries, SourceEntry } from './listing.js';
import { type FileDataset, type OpenOptions, openDataset, openFields } from './open-dataset.js';
import { indexTar, type TarMember } from './tar-index.js';

/** Limits of members in bytes, far above the usual images and captions. */
const imageByteLimit = 512 * 1024 ** 2;
const captionByteLimit = 1024 ** 2;

/**
 * Opens WebDataset shards: tar archives in which the members of a sample have the same path up to the first dot of the
 * file name. A sample is an image (`.jpg`, `.png`, `.webp`, …) and its captions: a `.txt` member with one caption per
 * line, or a `.json` member with `caption`, `captions` or `text`. Other members are ignored.
 *
 * Headers are read once, on opening. `get(index, variation)` reads from the archive by offset, in any order, and
 * preprocesses as `openImageFolder` does. A sample's key is `<archive name>/<path>`.
 *
 * @param source Tar files, in order, or a folder whose `.tar` files are read in order of name.
 * Every image is decoded once when the shards are opened, as by `openImageFolder`.
 *
 * @throws DataError if an archive is damaged, truncated or compressed, has links or names that lead out of its folder, if
 *   no sample can be used, or if one cannot and `onError` is `fail`.
 * @throws FileError if an archive is missing; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { openWebDataset } from '@dalle-mini/data';
 *
 * const dataset = await openWebDataset('cc12m', { imageSize: 256, crop: 'random' }); // a folder of .tar files
 * const { image, captions } = await dataset.get(0);
 * console.log(dataset.length, image.width, captions);
 * ```
 */
export async function openWebDataset(source: string | readonly string[], options: OpenOptions): Promise<FileDataset> {
  const given = readOptions(openFields, options, 'openWebDataset');
  return openDataset(await listWebDataset(source), given);
}

/** Lists the samples of WebDataset shards, as {@link openWebDataset} finds them. */
export async function listWebDataset(source: string | readonly string[]): Promise<Listing> {
  const shards: ShardSamples[] = [];
  const omissions: Omission[] = [];
  for (const path of await listShards(source)) {
    const grouped = groupMembers(path, await indexTar(path));
    omissions.push(...grouped.omissions);
    const { mtimeMs } = await withFileErrors('read', path, () => stat(path));
    shards.push(new ShardSamples(path, mtimeMs, grouped.pairs));
  }
  return { source: [source].flat().join(', '), entries: concatenate(shards), omissions };
}

/** The samples of all shards, one shard after the other. */
function concatenate(shards: readonly ShardSamples[]): SourceEntries {
  /** Index of each shard's first sample, and at the end the number of samples. */
  const starts = [0];
  for (const shard of shards) starts.push(starts.at(-1)! + shard.length);
  return {
    length: starts.at(-1)!,
    get(index) {
      const number = lastAtMost(starts, index);
      return shards[number]!.get(index - starts[number]!);
    },
  };
}

/** Finds the last of ascending `values` that is at most `limit`. The first value must be. */
function lastAtMost(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (values[middle]! <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

interface MemberPair {
  /** Path up to the first dot of the file name. */
  readonly stem: string;
  readonly image: TarMember;
  /** The `.txt` member, or else the `.json` member. */
  readonly caption: TarMember;
}

/** The index of one shard, about 60 bytes per sample, so that ten million samples fit in memory. */
class ShardSamples {
  readonly length: number;
  /** For each sample: offset and size of the image, offset and size of the caption. */
  private readonly extents: Float64Array;
  /** For each sample, one line each: the stem, and the endings of the image's and the caption's name. */
  private readonly names: string;
  private readonly nameStarts: Uint32Array;

  constructor(
    private readonly path: string,
    private readonly modified: number,
    pairs: readonly MemberPair[],
  ) {
    this.length = pairs.length;
    this.extents = new Float64Array(pairs.length * 4);
    this.nameStarts = new Uint32Array(pairs.length + 1);
    const lines = pairs.map(({ stem, image, caption }, index) => {
      this.extents.set([image.offset, image.size, caption.offset, caption.size], index * 4);
      const line = [stem, image.name.slice(stem.length), caption.name.slice(stem.length)].join('\n');
      this.nameStarts[index + 1] = this.nameStarts[index]! + line.length;
      return line;
    });
    this.names = lines.join('');
  }

  get(index: number): SourceEntry {
    const line = this.names.slice(this.nameStarts[index], this.nameStarts[index + 1]);
    const [stem, imageEnding, captionEnding] = line.split('\n') as [string, string, string];
    const [imageOffset, imageSize, captionOffset, captionSize] = this.extents.subarray(index * 4, index * 4 + 4);
    const { path, modified } = this;
    const member = (name: string, offset: number, size: number) => {
      return { name: `${name} in ${path}`, path, offset, size, modified };
    };
    const format = captionEnding.toLowerCase() === '.json' ? 'json' : 'text';
    return {
      key: `${shardName(path)}/${stem}`,
      image: member(stem + imageEnding, imageOffset!, imageSize!),
      captionFiles: [{ ...member(stem + captionEnding, captionOffset!, captionSize!), format }],
    };
  }
}

function shardName(path: string): string {
  return basename(path).replace(/\.tar$/, '');
}

async function listShards(source: string | readonly string[]): Promise<readonly string[]> {
  if (typeof source !== 'string') return source;
  const files = await withFileErrors('read', source, async () =>
    (await stat(source)).isDirectory() ? readdir(source) : undefined,
  );
  if (files === undefined) return [source];
  const names = files.filter((name) => name.endsWith('.tar')).sort();
  if (names.length === 0)
    throw new DataError(`${source} must have tar archives, files that end in .tar. Check the path.`);
  return names.map((name) => join(source, name));
}

function groupMembers(shard: string, members: readonly TarMember[]): { pairs: MemberPair[]; omissions: Omission[] } {
  const groups = new Map<string, Map<string, TarMember>>();
  for (const member of members) {
    const [, stem, extension] = /^((?:.*\/)?[^/.]*)(\.[^/]*)?$/s.exec(member.name) ?? [];
    if (stem === undefined || extension === undefined) continue;
    const group = groups.get(stem) ?? new Map<string, TarMember>();
    const part = extension.toLowerCase();
    if (group.has(part)) throw new DataError(`${shard} has ${member.name} twice. Repack it with unique names.`);
    group.set(part, member);
    groups.set(stem, group);
  }
  const pairs: MemberPair[] = [];
  const omissions: Omission[] = [];
  const omit = (stem: string, reason: OmissionReason, message: string) =>
    omissions.push({ key: `${shardName(shard)}/${stem}`, reason, message });
  for (const [stem, parts] of groups) {
    const image = [...parts].find(([extension]) => imageExtensions.has(extension))?.[1];
    const caption = parts.get('.txt') ?? parts.get('.json');
    // Shards often have other files, such as statistics.
    if (!image && !caption) continue;
    if (!image) {
      omit(
        stem,
        'no-image',
        `${shard} has a caption of ${stem} but no image. Repack it with an image (${[...imageExtensions].join(', ')}).`,
      );
      continue;
    }
    if (!caption) {
      const message = `${shard} has ${image.name} but no caption for it. Add ${stem}.txt or ${stem}.json.`;
      omit(stem, 'no-caption', message);
      continue;
    }
    for (const [member, limit] of [[image, imageByteLimit] as const, [caption, captionByteLimit] as const]) {
      if (member.size > limit)
        throw new DataError(
          `${member.name} in ${shard} must have at most ${limit} bytes, not ${member.size}. Repack it with smaller files.`,
        );
    }
    pairs.push({ stem, image, caption });
  }
  return { pairs, omissions };
}
