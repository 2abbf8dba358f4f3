import { createHash } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  abortSignal,
  callback,
  describeValue,
  integer,
  list,
  object,
  oneOf,
  optional,
  type Progress,
  type RgbImage,
  readOptions,
  seedField,
  string,
} from '@dalle-mini/core';
import { exists, FileError, isSystemError, makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import sharp from 'sharp';
import { DataError } from '../data-error.js';
import { emojiCaptions } from './captions.js';
import {
  type EmojiDataset,
  type EmojiEntry,
  type Manifest,
  manifestFormat,
  manifestName,
  openEmoji,
  readManifest,
} from './dataset.js';
import { dominantColor } from './dominant-color.js';
import {
  conceptOf,
  type EmojiIcon,
  EmojiTable,
  type EmojiVendor,
  emojiPackageVersions,
  emojiVendors,
  readEmojiIcons,
} from './icons.js';
import { splitEmoji } from './split.js';

export interface PrepareEmojiOptions {
  /** Width and height of the pictures in pixels, 8 to 512. */
  readonly imageSize: number;
  /** Sets of emoji; all of them by default. */
  readonly vendors?: readonly EmojiVendor[] | undefined;
  /** Only these concepts, such as `1F34E`; all by default. */
  readonly concepts?: readonly string[] | undefined;
  /** Chooses the held-out emoji; 0 by default. Another seed does not render the pictures again. */
  readonly seed?: number | undefined;
  /** Stops the work: the promise rejects with the signal's reason. A later call continues where it stopped. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch of pictures. */
  readonly onProgress?: ((progress: PrepareProgress) => unknown) | undefined;
}

/** Number of rendered emoji. */
export interface PrepareProgress extends Progress {
  readonly stage: 'prepare';
  readonly unit: 'samples';
}

const prepareFields = object<PrepareEmojiOptions>({
  imageSize: integer({ min: 8, max: 512 }),
  vendors: optional(list(oneOf(emojiVendors), { min: 1, max: emojiVendors.length })),
  concepts: optional(list(string())),
  seed: optional(seedField, 0),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

/** Increase it when captions, splits or matching change: prepared folders get a new index. */
const indexVersion = 7;
/** Increase it when rendering changes: prepared folders are rendered again. */
const drawingVersion = 2;
/** Pictures per write, and so the most that a killed run loses. */
const batchSize = 32;

/**
 * Renders every emoji of the installed sets into `folder` and opens the result. A folder that is already prepared is
 * opened as it is.
 *
 * The folder gets the pictures (`.u8`, one after the other, `imageSize × imageSize × 3` bytes each), an index
 * (`.jsonl`) and, last, `emoji.json`. A folder without `emoji.json` is unfinished: the next call continues it.
 *
 * @throws DataError with the command that installs them if a set or `emojibase-data` is not installed.
 * @throws FileError if the folder cannot be written.
 * @throws The reason of `signal` if it aborts.
 */
export async function prepareEmoji(folder: string, options: PrepareEmojiOptions): Promise<EmojiDataset> {
  const given = readOptions(prepareFields, options, 'prepareEmoji');
  const { imageSize, vendors = emojiVendors, concepts, seed = 0, signal } = given;
  signal?.throwIfAborted();
  const versions = await emojiPackageVersions(vendors);
  const source = digest(JSON.stringify([indexVersion, drawingVersion, imageSize, versions, concepts ?? 'all', seed]));
  const present = await readManifest(folder);
  if (present?.source === source) return openEmoji(folder);

  await makeFolder(folder);
  const table = await EmojiTable.read();
  const wanted = concepts && new Set(concepts);
  const readIcons = async (vendor: EmojiVendor) =>
    (await readEmojiIcons(vendor, table)).filter((icon) => !wanted || wanted.has(conceptOf(icon)));

  const listed: Omit<EmojiIcon, 'svg'>[] = [];
  for (const vendor of vendors) {
    signal?.throwIfAborted();
    // The SVGs of a set are up to 100 MB, so they are not kept but read again for rendering.
    listed.push(...(await readIcons(vendor)).map(({ svg: _, ...icon }) => icon));
  }
  if (listed.length === 0) {
    throw new DataError(
      `concepts must be hexcodes of emoji, such as '1F34E', not ${describeValue(concepts)}. Correct the option.`,
    );
  }

  const identity = JSON.stringify([
    drawingVersion,
    imageSize,
    listed.map((icon) => [icon.vendor, icon.name, icon.svgHash]),
  ]);
  const pictures = `pictures-${digest(identity)}.u8`;
  await drawOnce(join(folder, pictures), { imageSize, vendors, readIcons, total: listed.length }, options);

  const drawings = listed.map((icon) => ({ concept: conceptOf(icon), vendor: icon.vendor, svgHash: icon.svgHash }));
  const splits = splitEmoji(drawings, seed);
  const colors = await readColors(join(folder, pictures), listed.length, imageSize);
  const entries = listed.map((icon, index): EmojiEntry => {
    const { concept, vendor } = drawings[index]!;
    const { hexcode } = icon.variant;
    return {
      key: `${vendor}/${icon.name}`,
      vendor,
      hexcode,
      concept,
      group: `${concept}/${vendor}`,
      split: splits[index]!,
      captions: emojiCaptions({ ...icon, unicodeName: table.unicodeName(hexcode), color: colors[index] }),
    };
  });

  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const index = `index-${digest(lines)}.jsonl`;
  await writeFileAtomically(join(folder, index), lines);
  const manifest: Manifest = { format: manifestFormat, imageSize, pictures, index, length: listed.length, source };
  await writeFileAtomically(join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const name of await readdir(folder)) {
    const outdated = /^(pictures-[0-9a-f]{12}\.u8(\.partial)?|index-[0-9a-f]{12}\.jsonl)$/.test(name);
    if (outdated && name !== pictures && name !== index) await rm(join(folder, name), { force: true });
  }
  return openEmoji(folder);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** Renders the pictures into `path` unless it exists. Continues the `path.partial` of an earlier run. */
async function drawOnce(
  path: string,
  work: {
    readonly imageSize: number;
    readonly vendors: readonly EmojiVendor[];
    readonly readIcons: (vendor: EmojiVendor) => Promise<readonly EmojiIcon[]>;
    readonly total: number;
  },
  { signal, onProgress }: Pick<PrepareEmojiOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  const { imageSize, vendors, readIcons, total } = work;
  const size = imageSize ** 2 * 3;
  const partial = `${path}.partial`;
  if (await exists(path)) return;
  try {
    const file = await open(partial, 'a').then(async (created) => {
      await created.close();
      return open(partial, 'r+');
    });
    try {
      let done = Math.min(Math.floor((await file.stat()).size / size), total);
      let first = 0;
      for (const vendor of vendors) {
        const icons = await readIcons(vendor);
        while (done < first + icons.length) {
          signal?.throwIfAborted();
          const batch = icons.slice(done - first, done - first + batchSize);
          const drawn = await drawAll(batch, imageSize);
          await file.write(drawn, 0, drawn.length, done * size);
          done += batch.length;
          await onProgress?.({ stage: 'prepare', unit: 'samples', done, total });
        }
        first += icons.length;
      }
      await file.truncate(total * size);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    throw isSystemError(error) ? new FileError('write', partial, error) : error;
  }
}

/** Returns the dominant color of each rendered picture. */
async function readColors(path: string, count: number, imageSize: number): Promise<(string | undefined)[]> {
  const data = new Uint8Array(imageSize ** 2 * 3);
  const colors: (string | undefined)[] = [];
  try {
    const file = await open(path, 'r');
    try {
      for (let index = 0; index < count; index++) {
        await file.read(data, 0, data.length, index * data.length);
        colors.push(dominantColor({ width: imageSize, height: imageSize, data }));
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw isSystemError(error) ? new FileError('read', path, error) : error;
  }
  return colors;
}

/** Renders icons in parallel, one per processor. */
async function drawAll(icons: readonly EmojiIcon[], imageSize: number): Promise<Uint8Array> {
  const size = imageSize ** 2 * 3;
  const pixels = new Uint8Array(icons.length * size);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < icons.length; index = next++) {
      const { vendor, name, svg } = icons[index]!;
      try {
        pixels.set((await drawSvg(svg, imageSize)).data, index * size);
      } catch (error) {
        throw new DataError(
          `Cannot render ${vendor}/${name}: ${(error as Error).message}. Reinstall its set: npm install @iconify-json/${vendor}`,
          { cause: error },
        );
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return pixels;
}

/**
 * Renders an SVG document on white.
 *
 * @param svg Text of the document. Its view box fills the picture.
 * @param size Width and height in pixels.
 */
async function drawSvg(svg: string, size: number): Promise<RgbImage> {
  // Rendered larger, then scaled down, because the SVG renderer leaves jagged edges, which show most in small pictures.
  const large = size * (size <= 128 ? 4 : 2);
  const sized = svg.replace('<svg ', `<svg width="${large}" height="${large}" `);
  // Two passes, because in one pass sharp would render the SVG at the final size.
  const { data: drawn, info } = await sharp(Buffer.from(sized), { unlimited: true })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const raw = { width: info.width, height: info.height, channels: info.channels };
  const data = await sharp(drawn, { raw }).resize(size, size, { fit: 'fill', kernel: 'lanczos3' }).raw().toBuffer();
  return { width: size, height: size, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
