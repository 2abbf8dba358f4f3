import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  abortSignal,
  callback,
  type Field,
  type Fields,
  list,
  object,
  optional,
  readOptions,
  string,
} from '@dalle-mini/core';
import { userCacheFolder, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { lastAtMost } from '../extents.js';
import type { ScanProgress } from '../scan/scan.js';
import { encodingField } from './encoding.js';
import { groupMembers, type MemberGroup } from './group-members.js';
import type { CaptionFile, Listing, Omission, SourceEntries, SourceEntry, SourceFile } from './listing.js';
import { type FileDataset, type OpenOptions, openDataset, openFields } from './open-dataset.js';
import { findShards, type Shard } from './shard-paths.js';
import { indexTar } from './tar-index.js';
import { unpackArchive } from './unpack.js';

export interface ListWebDatasetOptions {
  /**
   * Which member of a sample is the image: what follows the first dot of its name, such as `input.jpg`. Needed only if samples
   * have several images.
   */
  readonly image?: string | undefined;
  /** Which member of a sample has the captions, such as `outputs.txt`. Needed only if samples have several texts. */
  readonly caption?: string | undefined;
  /**
   * The encoding of text that is neither UTF-8 nor UTF-16: a label of the Encoding Standard, such as `windows-1252` or
   * `shift_jis`. Without it, such text is refused.
   */
  readonly encoding?: string | undefined;
  /** Paths of folders and files to leave out, such as the folder of a training run. */
  readonly exclude?: readonly string[] | undefined;
  /**
   * The folder into which `.tar.gz` archives and Parquet files are unpacked, once. It needs as much space as the unpacked archives. Default:
   * `dalle-mini/archives` in the user's folder for caches: `XDG_CACHE_HOME`, or that of the system, such as `~/.cache`.
   */
  readonly cacheFolder?: string | undefined;
  /** Called after each archive. */
  readonly onProgress?: ((progress: ScanProgress) => unknown) | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
}

const endingField: Field<string> = {
  ...string(),
  read: (value, path) => string().read(value, path).toLowerCase().replace(/^\./, ''),
};

export const listWebDatasetFields: Fields<ListWebDatasetOptions> = {
  image: optional(endingField),
  caption: optional(endingField),
  encoding: optional(encodingField),
  exclude: optional(list(string())),
  cacheFolder: optional(string()),
  onProgress: optional(callback()),
  signal: optional(abortSignal()),
};

/** Options of {@link openWebDataset}. */
export interface WebDatasetOptions extends OpenOptions, Omit<ListWebDatasetOptions, 'onProgress'> {}

/**
 * Opens WebDataset shards: tar archives in which the members of a sample have the same path up to the first dot of the
 * file name. A sample is an image (`.jpg`, `.png`, `.webp`, …) and its captions: a `.txt` member with one caption per
 * line, or a `.json` member with `caption`, `captions` or `text`. If both have the same words, as in shards of img2dataset,
 * line breaks in the `.json` member are part of a caption. Other members are ignored.
 *
 * Names with more dots are samples too: `IMG.2021.jpg` with `IMG.2021.txt`, or `0.input.jpg` with `0.outputs.txt`. With
 * several images of one sample, `image` names the one to read.
 *
 * Headers are read once, on opening. `get(index, variation)` reads from the archive by offset, in any order, and
 * preprocesses as `openImageFolder` does. `.tar.gz` archives are unpacked into `cacheFolder`, once. So are Parquet files with
 * images in them, as Hugging Face's datasets writes them: each row is a sample, with the captions of its other columns.
 *
 * A sample's key is `<archive>/<path>`. `<archive>` is the name without its ending; in a folder, with the folders below that
 * one; and where two archives have the same name, with as many of the folders above as make the names differ. Of archives
 * that were joined with `cat`, the second is `<archive>#2`.
 *
 * @param source Tar files in order, patterns such as `cc12m/{00000..00012}.tar`, or folders, whose `.tar`, `.tar.gz` and `.tgz`
 *   files, also in folders below, are read in order of their paths; of a folder without these, the `.parquet` files.
 * Every image is decoded once when the shards are opened, as by `openImageFolder`.
 *
 * @throws DataError if there are no archives, if no sample can be used, or if an archive or a sample cannot be used and
 *   `onError` is `fail`. An archive that is truncated or damaged is left out as a whole; links and names that lead out of its
 *   folder are left out one by one.
 * @throws FileError if an archive is missing; the reason of `signal` if it aborts.
 *
 * @example
 * ```ts no-run
 * import { openWebDataset } from '@dalle-mini/data';
 *
 * const dataset = await openWebDataset('cc12m/{00000..00012}.tar', { imageSize: 256, crop: 'random' });
 * const { image, captions } = await dataset.get(0);
 * console.log(dataset.length, image.width, captions);
 * ```
 */
export async function openWebDataset(
  source: string | readonly string[],
  options: WebDatasetOptions,
): Promise<FileDataset> {
  const fields = object<WebDatasetOptions>({ ...openFields, ...listWebDatasetFields });
  const { image, caption, encoding, exclude, cacheFolder, ...given } = readOptions(fields, options, 'openWebDataset');
  const { signal, onProgress } = given;
  const listing = await listWebDataset(source, { image, caption, encoding, exclude, cacheFolder, signal, onProgress });
  return openDataset(listing, given);
}

/** Archives that are read at a time. */
const shardsAtOnce = 4;

/** Lists the samples of WebDataset shards, as {@link openWebDataset} finds them. It reads only the headers of archives. */
export async function listWebDataset(
  source: string | readonly string[],
  options: ListWebDatasetOptions = {},
): Promise<Listing> {
  const found = await findShards(source, options);
  const read: ReadShard[] = new Array(found.shards.length);
  let started = 0;
  let done = 0;
  const readNext = async (): Promise<void> => {
    while (started < found.shards.length) {
      const number = started++;
      read[number] = await readShard(found.shards[number]!, options);
      await options.onProgress?.({ stage: 'scan', done: ++done, total: found.shards.length, unit: 'files' });
    }
  };
  await Promise.all(Array.from({ length: shardsAtOnce }, readNext));
  const choices = new Map<string, number>();
  for (const shard of read) addCounts(choices, shard.choices);
  const notes = [...choices].map(([choice, count]) => `In ${count} ${count === 1 ? 'sample' : 'samples'}, ${choice}.`);
  return {
    source: [source].flat().join(', '),
    entries: concatenate(read.flatMap(({ samples }) => samples)),
    omissions: [...found.omissions, ...read.flatMap(({ omissions }) => omissions)],
    notes: [...found.excluded.map((path) => `${path} is left out.`), ...notes],
    encoding: options.encoding,
  };
}

interface ReadShard {
  readonly samples: readonly ShardSamples[];
  readonly omissions: readonly Omission[];
  readonly choices: ReadonlyMap<string, number>;
}

async function readShard(
  { path, name }: Shard,
  { image, caption, cacheFolder = userCacheFolder('archives'), signal }: ListWebDatasetOptions,
): Promise<ReadShard> {
  signal?.throwIfAborted();
  const samples: ShardSamples[] = [];
  const omissions: Omission[] = [];
  const choices = new Map<string, number>();
  try {
    const { mtimeMs } = await withFileErrors('read', path, () => stat(path));
    const archive = await unpackArchive(path, resolve(cacheFolder), signal);
    const archiveModified = archive === path ? mtimeMs : (await stat(archive)).mtimeMs;
    const { members, refused } = await indexTar(archive, signal);
    const nameOf = (part: number) => (part === 0 ? name : `${name}#${part + 1}`);
    for (let part = 0; part <= (members.at(-1)?.part ?? 0); part++) {
      const own = members.filter((member) => member.part === part);
      const grouped = groupMembers(path, own, { image, caption });
      const place = { path, archive, modified: mtimeMs, archiveModified, name: nameOf(part) };
      samples.push(new ShardSamples(place, grouped.groups));
      for (const { stem, ...omission } of grouped.omissions)
        omissions.push({ key: `${nameOf(part)}/${stem}`, ...omission });
      addCounts(choices, grouped.choices);
    }
    for (const { name: member, part, ...omission } of refused)
      omissions.push({ key: `${nameOf(part)}/${member}`, ...omission });
    return { samples, omissions, choices };
  } catch (error) {
    if (!DataError.isInstance(error)) throw error;
    return { samples: [], omissions: [{ key: name, reason: 'damaged-archive', message: error.message }], choices };
  }
}

function addCounts(counts: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [name, count] of more) counts.set(name, (counts.get(name) ?? 0) + count);
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

/** Where an archive's samples are. */
interface ShardPlace {
  /** The archive that the user knows, and the one to read: an unpacked copy. */
  readonly path: string;
  readonly archive: string;
  readonly modified: number;
  readonly archiveModified: number;
  /** What keys begin with. */
  readonly name: string;
}

/** The index of one shard, about 80 bytes per sample, so that ten million samples fit in memory. */
class ShardSamples {
  readonly length: number;
  /** For each sample: offset and size of the image, of the text and of the JSON, or zeros. */
  private readonly extents: Float64Array;
  /** For each sample, one line each: the stem, and the endings of the names of image, text and JSON. */
  private readonly names: string;
  private readonly nameStarts: Uint32Array;

  constructor(
    private readonly place: ShardPlace,
    groups: readonly MemberGroup[],
  ) {
    this.length = groups.length;
    this.extents = new Float64Array(groups.length * 6);
    this.nameStarts = new Uint32Array(groups.length + 1);
    const lines = groups.map(({ stem, image, text, json }, index) => {
      const members = [image, text, json];
      this.extents.set(
        members.flatMap((member) => [member?.offset ?? 0, member?.size ?? 0]),
        index * 6,
      );
      const line = [stem, ...members.map((member) => member?.name.slice(stem.length) ?? '')].join('\n');
      this.nameStarts[index + 1] = this.nameStarts[index]! + line.length;
      return line;
    });
    this.names = lines.join('');
  }

  get(index: number): SourceEntry {
    const line = this.names.slice(this.nameStarts[index], this.nameStarts[index + 1]);
    const [stem, ...endings] = line.split('\n') as [string, string, string, string];
    const { path, archive, modified, archiveModified, name } = this.place;
    const member = (number: 0 | 1 | 2): SourceFile => {
      const [offset, size] = this.extents.subarray(index * 6 + number * 2);
      return {
        name: `${stem}${endings[number]} in ${path}`,
        path: archive,
        offset,
        size: size!,
        modified,
        archiveModified,
      };
    };
    const captionFiles: CaptionFile[] = [];
    if (endings[1] !== '') captionFiles.push({ ...member(1), format: 'text' });
    if (endings[2] !== '') captionFiles.push({ ...member(2), format: 'json' });
    return { key: `${name}/${stem}`, image: member(0), captionFiles };
  }
}
