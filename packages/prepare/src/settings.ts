import { dirname, resolve } from 'node:path';
import {
  boolean,
  type Field,
  type Fields,
  field,
  integer,
  list,
  object,
  oneOf,
  optional,
  parseJsonObject,
  readConfig,
  refuse,
  string,
  withOverrides,
} from '@dalle-mini/core';
import { readTextFile } from '@dalle-mini/core/node';
import type { S3Options } from '@dalle-mini/data';
import { type CaptionOptions, captionFields } from './captions/clean.js';
import { type DownloadOptions, downloadFields } from './download/options.js';
import type { ListFormat } from './lists/formats.js';
import { type PictureOptions, pictureFields } from './pictures/options.js';
import { type PresetName, presetNames } from './presets.js';

/** The lists of a data set, and how their rows are read. */
export interface ListSettings {
  /** The format and the columns of a published data set. What is set besides replaces them. */
  readonly preset?: PresetName | undefined;
  /** Paths of lists, in order, also patterns such as `part-{00000..00127}.parquet`. */
  readonly lists: readonly string[];
  /** The metadata of YFCC100M, for the preset `yfcc100m-subset`. */
  readonly metadata?: string | undefined;
  /** Default: by the ending of the name, `.csv`, `.tsv`, `.jsonl` or `.parquet`, also with `.gz`. */
  readonly format?: ListFormat | undefined;
  /** Whether the first line of a CSV or TSV has the names of its columns. Default true. */
  readonly header?: boolean | undefined;
  /** The column of the addresses: its name or, without a header, its number from 0. Default `url`. */
  readonly url?: string | number | undefined;
  /** The column of the captions. Default `caption`. */
  readonly caption?: string | number | undefined;
  /** Other columns to keep with each image. */
  readonly columns?: readonly string[] | undefined;
  /** How captions are cleaned and filtered. */
  readonly captions?: CaptionOptions | undefined;
  /** Most rows to read. Default: all. */
  readonly limit?: number | undefined;
}

/** Settings of `prepare`. */
export interface PrepareSettings extends ListSettings {
  /** The JSON Schema of the file, for editors. */
  readonly $schema?: string | undefined;
  /** The folder for the shards, or `s3://bucket/prefix`. */
  readonly out: string;
  /** Rows per shard. Default 10,000. */
  readonly shardSize?: number | undefined;
  readonly download?: DownloadOptions | undefined;
  readonly pictures?: PictureOptions | undefined;
  /** The path of a module whose default export is a `PictureFilter`. */
  readonly filter?: string | undefined;
  /** A server of the S3 protocol. Keys come from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. */
  readonly s3?: S3Options | undefined;
  /** The share of one of several machines: shard n belongs to the machine n modulo `count`. Default: all shards. */
  readonly share?: Share | undefined;
}

export interface Share {
  /** From 0 to `count` - 1. */
  readonly rank: number;
  readonly count: number;
}

const column = field<string | number>(
  'the name of a column, or its number from 0',
  (value) => (typeof value === 'string' && value !== '') || (Number.isInteger(value) && (value as number) >= 0),
  { type: ['string', 'integer'] },
);

/** Accepts one path too. */
function pathsField(base: string): Field<readonly string[]> {
  const paths = list(string(), { min: 1 });
  const absolute = (path: string) => resolve(base, path);
  return {
    ...paths,
    schema: { type: ['string', 'array'], items: { type: 'string' } },
    read: (value, at) => paths.read(typeof value === 'string' ? [value] : value, at).map(absolute),
  };
}

function pathField(base: string): Field<string> {
  const isRemote = (path: string) => path.startsWith('s3://');
  return {
    ...string(),
    read: (value, at) => {
      const path = string().read(value, at);
      return isRemote(path) ? path : resolve(base, path);
    },
  };
}

function listFields(base: string): Fields<ListSettings> {
  return {
    preset: optional(oneOf(presetNames)),
    lists: pathsField(base),
    metadata: optional(pathField(base)),
    format: optional(oneOf(['csv', 'tsv', 'jsonl', 'parquet'])),
    header: optional(boolean()),
    url: optional(column),
    caption: optional(column),
    columns: optional(list(string())),
    captions: optional(object(captionFields)),
    limit: optional(integer({ min: 1 })),
  };
}

export const s3Fields = object<S3Options>({ endpoint: optional(string()), region: optional(string()) });

export const shareFields = object<Share>(
  { rank: integer(), count: integer({ min: 1 }) },
  {
    check({ rank, count }, at) {
      if (rank >= count) refuse(at('rank'), `below ${count}`, rank);
    },
  },
);

/** Returns the fields of {@link PrepareSettings}. Relative paths start from `base`. */
export function prepareField(base: string): Field<PrepareSettings> {
  const fields: Fields<PrepareSettings> = {
    $schema: optional(string()),
    ...listFields(base),
    out: pathField(base),
    shardSize: optional(integer({ min: 1, max: 1_000_000 })),
    download: optional(object(downloadFields)),
    pictures: optional(object(pictureFields)),
    filter: optional(pathField(base)),
    s3: optional(s3Fields),
    share: optional(shareFields),
  };
  return object(fields, {
    check({ preset, metadata, lists }, at) {
      if (preset !== 'yfcc100m-subset') return;
      if (metadata === undefined) refuse(at('metadata'), 'the path of the metadata of YFCC100M', metadata);
      if (lists.length !== 1) refuse(at('lists'), 'the path of one list of a subset', lists);
    },
  });
}

/**
 * Reads the settings of `prepare` from a JSON file. Paths in them are relative to the file's folder, and become absolute.
 *
 * @param overrides Values that replace those of the file, by the names of the fields that lead to each, joined by dots: `pictures.size`.
 * @throws ConfigError if a setting is wrong; FileError if the file cannot be read.
 */
export async function readPrepareSettings(
  file: string,
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<PrepareSettings> {
  const json = parseJsonObject(await readTextFile(file), file, 'Correct it.');
  return readConfig(prepareField(dirname(file)), withOverrides(json, overrides), file);
}
