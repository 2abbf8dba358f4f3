import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { integer, object, parseJsonObject, quote, readConfig, string } from '@dalle-mini/core';
import { readTextIfPresent, writeFileAtomically } from '@dalle-mini/core/node';
import { type Dataset, type TokenDataset, usableIndices } from '@dalle-mini/data';
import { ResumeError } from './checkpoint.js';

/** A training sample as a run remembers it. */
interface SampleRecord {
  readonly key: string;
  /** Changes with the image, the captions and the group. */
  readonly fingerprint: string;
}

/** The samples that a run is trained on, in order. */
export interface DataRecord {
  /** The length of the dataset, skipped samples included. */
  readonly length: number;
  /** `undefined` if the dataset does not describe its samples. */
  readonly samples?: readonly SampleRecord[] | undefined;
}

const fileName = 'dataset.jsonl';
const action = 'Delete the file to resume with the data as they are now.';
const lengthFields = object<{ length: number }>({ length: integer() });
const sampleFields = object<SampleRecord>({ key: string({ minLength: 0 }), fingerprint: string() });

/** Describes the samples of a dataset by their image files and captions. */
export function recordOf(dataset: Dataset<unknown>): DataRecord {
  if (!dataset.describe) return { length: dataset.length };
  const samples = usableIndices(dataset).map((index) => {
    const { key, ...rest } = dataset.describe!(index);
    return { key, fingerprint: fingerprintOf([rest.image, rest.captions, rest.group]) };
  });
  return { length: dataset.length, samples };
}

/** From this number of samples on, a run remembers shards: samples would take minutes to read, and gigabytes. */
const largeLength = 1_000_000;

/** Describes the samples of token shards by their tokens and captions, or large datasets by their shards. */
export async function recordOfTokens(dataset: TokenDataset, large = largeLength): Promise<DataRecord> {
  if (dataset.length >= large && dataset.describeShards) {
    const shards = dataset.describeShards();
    const samples = shards.map(({ key, sha256 }) => ({ key, fingerprint: fingerprintOf(sha256) }));
    return { length: dataset.length, samples };
  }
  const samples: SampleRecord[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const { key, tokens, captions, group } = await dataset.get(index);
    samples.push({ key, fingerprint: fingerprintOf([[...tokens], captions, group]) });
  }
  return { length: dataset.length, samples };
}

function fingerprintOf(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 12);
}

/**
 * Reads the keys of the samples that the run in a folder was trained on. Pass them to `holdOut` as `trained`, so that
 * none of them is held out after the data have changed. Returns none if there is no run.
 *
 * @throws FileError if the record cannot be read; ConfigError if it is damaged.
 */
export async function readTrainedKeys(folder: string): Promise<Set<string>> {
  const record = await readDataRecord(folder);
  return new Set(record?.samples?.map(({ key }) => key));
}

/**
 * Compares the data of a run that resumes with those that it began with, and records them.
 *
 * @param resumes Whether there is a checkpoint to resume from.
 * @param earlierLength The length of the dataset of a run that has no record, since an older version began it.
 * @throws ResumeError that names what has changed, unless `accept`.
 */
export async function recordData(
  folder: string,
  data: DataRecord,
  { resumes, earlierLength, accept }: { resumes: boolean; earlierLength?: number | undefined; accept: boolean },
): Promise<void> {
  const earlier = await readDataRecord(folder);
  const before = earlier ?? (earlierLength === undefined ? undefined : { length: earlierLength });
  const changes = resumes && before ? changesOf(before, data) : [];
  if (changes.length > 0 && !accept) {
    throw new ResumeError(
      `The training data of the run in ${folder} have changed: ${changes.join('; ')}. To resume with the data as they are now, ` +
        'set acceptDataChanges (--accept-data-changes on the command line). Otherwise restore them, or train into another folder.',
    );
  }
  if (!data.samples) return;
  const text = textOf(data);
  if (!earlier || textOf(earlier) !== text) await writeFileAtomically(join(folder, fileName), text);
}

function textOf({ length, samples }: DataRecord): string {
  const lines = (samples ?? []).map(({ key, fingerprint }) => JSON.stringify({ key, fingerprint }));
  return [JSON.stringify({ length }), ...lines, ''].join('\n');
}

async function readDataRecord(folder: string): Promise<DataRecord | undefined> {
  const path = join(folder, fileName);
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const read = <T>(line: string, number: number, fields: Parameters<typeof readConfig<T>>[0]) => {
    const place = `${path}, line ${number}`;
    return readConfig(fields, parseJsonObject(line, place, action), place, action);
  };
  const [first = '', ...lines] = text.split('\n').filter((line) => line !== '');
  const { length } = read(first, 1, lengthFields);
  if (lines.length === 0) return { length };
  return { length, samples: lines.map((line, i) => read(line, i + 2, sampleFields)) };
}

/** Lists what differs: `2 samples were added, such as "a.png"`. */
function changesOf(before: DataRecord, now: DataRecord): string[] {
  const [old, current] = [byKey(before), byKey(now)];
  const counted = (names: readonly string[], what: string) =>
    names.length === 0
      ? []
      : [
          `${names.length === 1 ? '1 sample was' : `${names.length} samples were`} ${what}, such as ${quote(names[0]!)}`,
        ];
  const changes =
    before.samples && now.samples
      ? [
          ...counted(
            [...current.keys()].filter((key) => !old.has(key)),
            'added',
          ),
          ...counted(
            [...old.keys()].filter((key) => !current.has(key)),
            'removed',
          ),
          ...counted(
            [...old.keys()].filter((key) => current.has(key) && current.get(key) !== old.get(key)),
            'changed',
          ),
        ]
      : [];
  if (changes.length > 0 || textOf(before) === textOf(now)) return changes;
  if (before.length !== now.length) return [`there were ${before.length} samples, and now there are ${now.length}`];
  return before.samples && now.samples ? ['the samples are in another order'] : [];
}

/** Maps keys to fingerprints: to those of all samples with the key, if there are several. */
function byKey({ samples = [] }: DataRecord): Map<string, string> {
  const found = new Map<string, string>();
  for (const { key, fingerprint } of samples) found.set(key, `${found.get(key) ?? ''} ${fingerprint}`);
  return found;
}
