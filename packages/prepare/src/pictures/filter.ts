import { pathToFileURL } from 'node:url';
import { DataError } from '@dalle-mini/data';
import type { ColumnValue, Row } from '../lists/row.js';

/** An image that a {@link PictureFilter} judges. */
export interface JudgedPicture {
  /** The file, as it will be stored. */
  readonly jpeg: Uint8Array;
  /** Size in pixels. */
  readonly width: number;
  readonly height: number;
  readonly row: Row;
}

/** What a {@link PictureFilter} says of an image. */
export interface Verdict {
  /** Why the image is left out; without it, it is kept. */
  readonly refuse?: string | undefined;
  /** Columns to store with the image, such as `clip_score`. */
  readonly columns?: Readonly<Record<string, ColumnValue>> | undefined;
}

/**
 * Judges images before they are stored: for example, a filter of images that are not safe for work, or a CLIP that scores how well the
 * caption fits. It is called for many images at a time.
 */
export type PictureFilter = (picture: JudgedPicture) => Verdict | undefined | Promise<Verdict | undefined>;

/** Loads the default export of a module. */
export async function loadFilter(path: string | undefined): Promise<PictureFilter | undefined> {
  if (path === undefined) return undefined;
  const { default: filter } = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  if (typeof filter === 'function') return filter as PictureFilter;
  throw new DataError(`The default export of ${path} must be a function, not ${typeof filter}.`);
}
