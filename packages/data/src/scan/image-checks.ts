import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeFolder, readTextIfPresent, writeFileAtomically } from '@dalle-mini/core/node';
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

/** Checks of image files, which a file keeps for the next opening of the dataset. */
export class ImageChecks {
  private fresh = 0;

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
    const folder = given ?? defaultFolder();
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

  add({ name, size, modified, offset }: SourceFile, { image, problem, reason }: ImageCheck): void {
    this.fresh++;
    this.checks.set(name, { name, size, modified, offset, image, problem, reason });
  }

  /**
   * Writes the checks for the next opening.
   *
   * @throws FileError if a folder that the user named cannot be written.
   */
  async save(): Promise<void> {
    if (this.fresh === 0 || (this.isDefault && this.fresh < worthKeeping)) return;
    try {
      await makeFolder(this.folder);
      await writeFileAtomically(this.path, this.lines());
    } catch (error) {
      if (!this.isDefault) throw error;
    }
  }

  private *lines(): Generator<Uint8Array> {
    const encoder = new TextEncoder();
    let lines: string[] = [];
    for (const check of this.checks.values()) {
      lines.push(`${JSON.stringify(check)}\n`);
      if (lines.length < linesPerWrite) continue;
      yield encoder.encode(lines.join(''));
      lines = [];
    }
    yield encoder.encode(lines.join(''));
  }
}

function parseLine(line: string): CachedCheck | undefined {
  try {
    const value = JSON.parse(line) as Partial<CachedCheck> | null;
    return typeof value?.name === 'string' && typeof value.image === 'string' ? (value as CachedCheck) : undefined;
  } catch {
    return undefined;
  }
}

/** The folder for caches of the user, as the system has it. */
function defaultFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const ofSystem =
    process.platform === 'win32'
      ? LOCALAPPDATA || join(homedir(), 'AppData', 'Local')
      : process.platform === 'darwin'
        ? join(homedir(), 'Library', 'Caches')
        : join(homedir(), '.cache');
  return join(XDG_CACHE_HOME || ofSystem, 'dalle-mini', 'scans');
}
