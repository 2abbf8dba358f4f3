import { createHash } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  makeFolder,
  readTextIfPresent,
  userCacheFolder,
  withFileErrors,
  writeFileAtomically,
} from '@dalle-mini/core/node';
import sharp from 'sharp';
import type { OmissionReason, SourceFile } from '../sources/listing.js';

/** What decoding an image file has shown. */
export interface ImageCheck {
  /** Hash of the file's bytes; empty if they could not be read. */
  readonly image: string;
  /** The message of the error, if the image cannot be used. */
  readonly problem?: string | undefined;
  readonly reason?: OmissionReason | undefined;
}

/** A line of the cache file: an image file as it was when it was checked. */
interface CachedCheck extends ImageCheck {
  readonly name: string;
  readonly size: number;
  readonly modified: number;
  readonly offset?: number | undefined;
}

/** Number of checked images from which the default cache is written. Fewer are checked again in a moment. */
const worthKeeping = 100;
const linesPerWrite = 1000;
/** Milliseconds after which new checks are appended to the file, so that a killed process loses only those of this time. */
const appendEvery = 2000;

/** Checks of image files, which a file keeps for the next opening of the dataset. */
export class ImageChecks {
  private fresh = 0;
  /** New checks that are not in the file. */
  private unsaved: CachedCheck[] = [];
  private appended = Date.now();

  private constructor(
    private readonly folder: string,
    private readonly path: string,
    private readonly isDefault: boolean,
    private readonly checks: Map<string, CachedCheck>,
  ) {}

  /**
   * Reads the checks of a source. A cache that cannot be read is as good as none.
   *
   * @param given The folder of the cache. Default: one in the user's folder for the caches of programs.
   */
  static async open(source: string, given?: string): Promise<ImageChecks> {
    const folder = given ?? userCacheFolder('scans');
    // Another version of sharp may decode other files.
    const name = createHash('sha256').update(JSON.stringify([resolve(source), sharp.versions.sharp]));
    const path = join(folder, `scan-${name.digest('hex').slice(0, 16)}.jsonl`);
    const text = await readTextIfPresent(path).catch(() => undefined);
    const checks = new Map<string, CachedCheck>();
    for (const line of text?.split('\n') ?? []) {
      const check = parseLine(line);
      if (check) checks.set(check.name, check);
    }
    return new ImageChecks(folder, path, given === undefined, checks);
  }

  /** Returns the check of a file, if the file has not changed since. */
  find({ name, size, modified, offset }: SourceFile): ImageCheck | undefined {
    const known = this.checks.get(name);
    return known?.size === size && known.modified === modified && known.offset === offset ? known : undefined;
  }

  /**
   * Adds the check of a file. From time to time, new checks are appended to the cache.
   *
   * @throws FileError if a folder that the user named cannot be written.
   */
  async add({ name, size, modified, offset }: SourceFile, { image, problem, reason }: ImageCheck): Promise<void> {
    this.fresh++;
    const check = { name, size, modified, offset, image, problem, reason };
    this.checks.set(name, check);
    this.unsaved.push(check);
    if (this.isWorthKeeping && Date.now() - this.appended >= appendEvery) await this.append();
  }

  /**
   * Writes all checks for the next opening.
   *
   * @throws FileError if a folder that the user named cannot be written.
   */
  async save(): Promise<void> {
    if (this.isWorthKeeping) await this.write(() => writeFileAtomically(this.path, this.parts()));
  }

  private get isWorthKeeping(): boolean {
    return this.fresh >= (this.isDefault ? worthKeeping : 1);
  }

  private async append(): Promise<void> {
    const lines = linesOf(this.unsaved);
    this.unsaved = [];
    this.appended = Date.now();
    // The last line of a killed process may have no end.
    await this.write(() => withFileErrors('write', this.path, () => appendFile(this.path, `\n${lines}`)));
  }

  private async write(write: () => Promise<void>): Promise<void> {
    try {
      await makeFolder(this.folder);
      await write();
    } catch (error) {
      if (!this.isDefault) throw error;
    }
  }

  private *parts(): Generator<Uint8Array> {
    const checks = [...this.checks.values()];
    for (let start = 0; start < checks.length; start += linesPerWrite)
      yield new TextEncoder().encode(linesOf(checks.slice(start, start + linesPerWrite)));
  }
}

function linesOf(checks: readonly CachedCheck[]): string {
  return checks.map((check) => `${JSON.stringify(check)}\n`).join('');
}

function parseLine(line: string): CachedCheck | undefined {
  try {
    const value = JSON.parse(line) as Partial<CachedCheck> | null;
    return typeof value?.name === 'string' && typeof value.image === 'string' ? (value as CachedCheck) : undefined;
  } catch {
    return undefined;
  }
}
