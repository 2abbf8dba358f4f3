import { dirname, join } from 'node:path';
import { quote } from '@dalle-mini/core';
import { exists, readJsonFile } from '@dalle-mini/core/node';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { listNames } from '../errors/lists.js';
import { maxEntries } from '../formats/layout.js';

/**
 * Checkpoints in several files, as Hugging Face's transformers writes large ones: shards such as
 * `model-00001-of-00002.safetensors`, and an index, `model.safetensors.index.json`, with the shard of each tensor in
 * its `weight_map`.
 */

/** Checks whether a path is that of an index. */
export function isIndex(path: string): boolean {
  return path.endsWith('.index.json');
}

/**
 * Reads all shards of an index, one after the other, and checks that they have the tensors that the index lists.
 *
 * @param read Reads a shard.
 * @param tensorsOf Returns the tensors of a shard by name.
 * @throws CheckpointError that names the index, and the shard or the tensor that is missing or twice.
 */
export async function readIndex<Shard>(
  path: string,
  read: (path: string) => Promise<Shard>,
  tensorsOf: (shard: Shard) => ReadonlyMap<string, unknown>,
): Promise<Shard[]> {
  const expected = shardsOf(await readJsonFile(path), path);
  const folder = dirname(path);
  const missing: string[] = [];
  for (const file of expected.keys()) if (!(await exists(join(folder, file)))) missing.push(file);
  if (missing.length > 0) {
    throw new CheckpointError(
      `${path} lists ${expected.size} files, of which ${listNames(missing)} ${missing.length === 1 ? 'is' : 'are'} missing. Put ${missing.length === 1 ? 'it' : 'them'} into ${folder}.`,
    );
  }
  const shards: Shard[] = [];
  const found = new Map<string, string>();
  for (const [file, names] of expected) {
    const shard = await read(join(folder, file));
    const tensors = tensorsOf(shard);
    const absent = [...names].filter((name) => !tensors.has(name));
    if (absent.length > 0) {
      throw new CheckpointError(
        `${join(folder, file)} lacks ${listNames(absent)}, which ${path} lists in it. Download both again.`,
      );
    }
    for (const name of tensors.keys()) {
      const other = found.get(name);
      if (other !== undefined) {
        throw new CheckpointError(
          `${path}: the tensor ${quote(name)} is in ${quote(other)} and in ${quote(file)}. Download the files again.`,
        );
      }
      found.set(name, file);
    }
    shards.push(shard);
  }
  return shards;
}

/** Returns the names of the tensors of each shard. */
function shardsOf(index: Readonly<Record<string, unknown>>, path: string): Map<string, Set<string>> {
  const { weight_map: map } = index;
  const entries = typeof map === 'object' && map !== null && !Array.isArray(map) ? Object.entries(map) : [];
  if (entries.length === 0 || entries.length > maxEntries) {
    throw new CheckpointError(
      `${path}: weight_map must have the file of each tensor, for 1 to ${maxEntries} tensors. Download it again.`,
    );
  }
  const shards = new Map<string, Set<string>>();
  for (const [name, file] of entries) {
    if (typeof file !== 'string' || !/^[\w-][\w.-]*$/.test(file) || isIndex(file)) {
      throw new CheckpointError(
        `${path}: weight_map has ${quote(String(file))} for ${quote(name)}, which is not the name of a file in the same folder. Do not trust this checkpoint.`,
      );
    }
    const names = shards.get(file) ?? new Set();
    shards.set(file, names.add(name));
  }
  return shards;
}

/** How the name of a shard begins and ends, by the name of its index. */
function shardPattern(index: string): RegExp {
  const [, stem, ending] = /^(.*)\.([^.]+)\.index\.json$/.exec(index)!;
  return new RegExp(`^${stem}-(\\d{5})-of-(\\d{5})\\.${ending}$`);
}

/**
 * Chooses the shards of an index among the names of files, without the index's content.
 *
 * @throws CheckpointError if the number in their names shows that some are missing.
 */
export function chooseShards(names: Iterable<string>, index: string): string[] {
  const pattern = shardPattern(index);
  const shards = [...names].filter((name) => pattern.test(name)).sort();
  const count = shards.length === 0 ? undefined : Number(pattern.exec(shards.at(-1)!)![2]);
  if (shards.length !== count) {
    throw new CheckpointError(
      `The model must have all files of ${index}, and has ${count === undefined ? 'none' : `${shards.length} of ${count}`}. Choose another revision, or ask its author.`,
    );
  }
  return shards;
}
