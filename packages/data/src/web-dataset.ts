import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { captionsFromRecord, captionsFromText, imageExtensions } from './captions.js';
import { checkIndex, type Dataset, type Sample } from './dataset.js';
import { fileError } from './files.js';
import { checkImageSize, type PreprocessOptions, preprocessImage } from './preprocess.js';
import { hash } from './random.js';
import { indexTar, readTarMember, type TarMember } from './tar-index.js';

/** Where the parts of a sample are. */
interface ShardedSample {
  readonly shard: string;
  readonly key: string;
  readonly image: TarMember;
  /** The `.txt` member, or else the `.json` member. */
  readonly caption: TarMember;
}

/** Largest members that are read into memory: no picture or caption of a training set comes near. */
const imageByteLimit = 512 * 1024 ** 2;
const captionByteLimit = 1024 ** 2;

/**
 * Opens WebDataset shards: tar archives whose members belong together by their path up to the first dot of the file name. A
 * sample is an image (`.jpg`, `.png`, `.webp`, …) and its captions: a `.txt` member, one caption a line, or a `.json` member with
 * `caption`, `captions` or `text`. Other members are ignored.
 *
 * Headers are read once, here; `get` then reads from the archive by offset, in any order. A sample's key is
 * `<archive name>/<path>`. `get(index, variation)` preprocesses as `openImageFolder` does.
 *
 * @param source Tar files, in order, or a folder whose `.tar` files are taken in order of name.
 * @throws If an archive is missing, damaged, cut short or compressed, holds links or names that lead out of a folder, or if a
 *   sample lacks its image or its caption.
 */
export async function openWebDataset(source: string | readonly string[], options: PreprocessOptions): Promise<Dataset> {
  checkImageSize(options.imageSize);
  const samples: ShardedSample[] = [];
  for (const shard of await listShards(source)) samples.push(...groupMembers(shard, await indexTar(shard)));
  if (samples.length === 0)
    throw new Error(`${[source].flat().join(', ')} holds no samples: expected images with captions.`);
  return {
    length: samples.length,
    async get(index: number, variation = 0): Promise<Sample> {
      checkIndex(index, samples.length);
      const { shard, key, image, caption } = samples[index]!;
      const captions = readCaptions(await readTarMember(shard, caption), `${caption.name} in ${shard}`);
      const encoded = await readTarMember(shard, image);
      const seed = hash(options.seed ?? 0, index, variation);
      const name = `${image.name} in ${shard}`;
      return { key, image: await preprocessImage(encoded, name, { ...options, seed }, captions), captions };
    },
  };
}

async function listShards(source: string | readonly string[]): Promise<readonly string[]> {
  if (typeof source !== 'string') return source;
  try {
    if (!(await stat(source)).isDirectory()) return [source];
    const names = (await readdir(source)).filter((name) => name.endsWith('.tar')).sort();
    if (names.length === 0) throw new Error(`${source} holds no tar archives; expected files ending in .tar.`);
    return names.map((name) => join(source, name));
  } catch (error) {
    throw fileError('read', source, error);
  }
}

function groupMembers(shard: string, members: readonly TarMember[]): ShardedSample[] {
  const groups = new Map<string, Map<string, TarMember>>();
  for (const member of members) {
    const [, stem, extension] = /^((?:.*\/)?[^/.]*)(\.[^/]*)?$/.exec(member.name) ?? [];
    if (stem === undefined || extension === undefined) continue;
    const group = groups.get(stem) ?? new Map<string, TarMember>();
    const part = extension.toLowerCase();
    if (group.has(part)) throw new Error(`${shard} holds ${member.name} twice; repack it with unique names.`);
    group.set(part, member);
    groups.set(stem, group);
  }
  const name = basename(shard).replace(/\.tar$/, '');
  const samples: ShardedSample[] = [];
  for (const [stem, parts] of groups) {
    const image = [...parts].find(([extension]) => imageExtensions.has(extension))?.[1];
    const caption = parts.get('.txt') ?? parts.get('.json');
    // Shards often carry files of their own, such as statistics.
    if (!image && !caption) continue;
    if (!image)
      throw new Error(`${shard} holds captions of ${stem} but no image (${[...imageExtensions].join(', ')}).`);
    if (!caption)
      throw new Error(`${shard} holds ${image.name} but no caption for it: add ${stem}.txt or ${stem}.json.`);
    for (const [member, limit] of [[image, imageByteLimit] as const, [caption, captionByteLimit] as const]) {
      if (member.size > limit)
        throw new Error(`${member.name} in ${shard} has ${member.size} bytes; at most ${limit} are read.`);
    }
    samples.push({ shard, key: `${name}/${stem}`, image, caption });
  }
  return samples;
}

function readCaptions(bytes: Uint8Array, name: string): string[] {
  const text = new TextDecoder().decode(bytes);
  let captions: string[] | undefined;
  if (/\.json in /i.test(name)) {
    try {
      captions = captionsFromRecord(JSON.parse(text));
    } catch (error) {
      throw new Error(`${name} is not valid JSON: ${(error as Error).message}.`, { cause: error });
    }
  } else {
    captions = captionsFromText(text);
  }
  if (!captions?.length) throw new Error(`${name} holds no caption: expected a line of text, or JSON with "caption".`);
  return captions;
}
