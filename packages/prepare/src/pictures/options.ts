import {
  boolean,
  type Complete,
  type Field,
  type Fields,
  field,
  integer,
  number,
  oneOf,
  optional,
} from '@dalle-mini/core';

/** How images are resized and which are left out. Names and defaults follow img2dataset, where it has them. */
export interface PictureOptions {
  /** Size in pixels. Default 256. */
  readonly size?: number | undefined;
  /**
   * What gets the size: the shorter side (`keep-ratio`, the default), the shorter side of a square that is cut from the middle
   * (`center-crop`), the longer side, with white borders to a square (`border`), or nothing (`none`).
   */
  readonly resize?: 'keep-ratio' | 'center-crop' | 'border' | 'none' | undefined;
  /** Whether smaller images keep their size. Default true. */
  readonly onlyIfBigger?: boolean | undefined;
  /** Quality of the JPEGs, 1 to 100. Default 95. */
  readonly quality?: number | undefined;
  /** Fewest pixels of the shorter side, before resizing. Default 0. */
  readonly minSize?: number | undefined;
  /** Most times that the longer side may be as long as the shorter one. Default: any number. */
  readonly maxAspectRatio?: number | undefined;
  /** Most pixels, width × height. Larger images are not decoded. Default 2²⁶. */
  readonly maxPixels?: number | undefined;
  /**
   * Leaves out images that look like an earlier one of the data set: those whose difference hash of 64 bits differs in at most this
   * number of bits, 0 to 7. Copies of other size or quality mostly differ in 4 or fewer. Default `null`: keeps all.
   */
  readonly duplicateDistance?: number | null | undefined;
}

/** {@link PictureOptions} with all of them set. */
export type PictureSettings = Complete<PictureOptions>;

const distance: Field<number | null> = field(
  'null or a whole number from 0 to 7',
  (value) => value === null || (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 7),
  { type: ['integer', 'null'], minimum: 0, maximum: 7 },
);

export const pictureFields: Fields<PictureSettings> = {
  size: optional(integer({ min: 8, max: 8192 }), 256),
  resize: optional(oneOf(['keep-ratio', 'center-crop', 'border', 'none']), 'keep-ratio'),
  onlyIfBigger: optional(boolean(), true),
  quality: optional(integer({ min: 1, max: 100 }), 95),
  minSize: optional(integer(), 0),
  maxAspectRatio: optional(number({ min: 1 }), 65_535),
  maxPixels: optional(integer({ min: 1, max: 2 ** 31 - 1 }), 2 ** 26),
  duplicateDistance: optional(distance, null),
};
