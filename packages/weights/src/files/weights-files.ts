import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '@dalle-mini/core/node';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { chooseShards, isIndex } from './shards.js';

/** Files of weights that are not read, what they are, and what to do. The first that a model has is named. */
const unreadable: readonly (readonly [name: RegExp, what: string, action: string])[] = [
  [
    /^adapter_model\.(safetensors|bin)$/,
    'an adapter (LoRA) without the model that it belongs to',
    'Merge them in Python: model.merge_and_unload().save_pretrained(folder).',
  ],
  [
    /^(tf_model(-\d+-of-\d+)?\.h5|tf_model\.h5\.index\.json|saved_model\.pb)$/,
    'weights of TensorFlow',
    'Convert them in Python, with transformers before version 5: from_pretrained(folder, from_tf=True), then save_pretrained(folder, safe_serialization=True).',
  ],
  [
    /\.ckpt\.(index|meta|data-\d+-of-\d+)$/,
    'a checkpoint of TensorFlow 1',
    'Convert it in Python: from_pretrained(folder, from_tf=True), then save_pretrained(folder, safe_serialization=True).',
  ],
  [/\.gguf$/i, 'the quantized weights of llama.cpp (GGUF)', 'Use the model that they were made of.'],
  [/^(.*\/)?[^/]*\.onnx$/, 'a graph of ONNX', 'Use the model that it was made of, with its safetensors.'],
  [
    /\.distcp$/,
    'a checkpoint of torch.distributed',
    'Join it in Python: python -m torch.distributed.checkpoint.format_utils dcp_to_torch folder pytorch_model.bin.',
  ],
  [
    /^zero_to_fp32\.py$/,
    'of a checkpoint of DeepSpeed',
    'Join it: python zero_to_fp32.py . folder --safe_serialization.',
  ],
  [
    /^(manifest\.ocdbt|_CHECKPOINT_METADATA)$/,
    'of a checkpoint of Orbax',
    'Restore it in Python, and write flax.serialization.to_bytes(params) as flax_model.msgpack.',
  ],
  [
    /^diffusion_pytorch_model(-\d+-of-\d+)?\.(safetensors|bin)$/,
    'weights of diffusers, whose layers have other names',
    'Use the checkpoint that they were converted from.',
  ],
  [/^rust_model\.ot$/, 'weights of rust-bert', 'Use the safetensors of the model that they were made of.'],
  [
    /^open_clip_(pytorch_model\.bin|model\.safetensors)$/,
    'weights of OpenCLIP',
    'Use a version of the model for transformers.',
  ],
  [
    /^(consolidated.*\.pth|.*\.mlmodel|openvino_model\.bin|.*\.tflite)$/,
    'weights of another program',
    'Use a version of the model for transformers.',
  ],
];

/** Puts the index of each file after it, as in `model.safetensors.index.json`. */
const withIndexes = (names: readonly string[]) => names.flatMap((name) => [name, `${name}.index.json`]);

/**
 * Returns the path of a model's weights: of the first of some files that its folder has, or of the index of several
 * files that replace it. If there is none, it is the path of the first file, for an error to name.
 *
 * @throws CheckpointError if the folder has weights of another program only.
 */
export async function findWeights(folder: string, names: readonly string[]): Promise<string> {
  for (const name of withIndexes(names)) if (await exists(join(folder, name))) return join(folder, name);
  const error = otherWeights(await fileNames(folder), folder, names);
  if (error !== undefined) throw error;
  return join(folder, names[0]!);
}

/**
 * Chooses the files of a model's weights, of those that a repository has: the first of some files, or an index and its
 * files. If there is none, the first file, for an error to name.
 *
 * @throws CheckpointError if the repository has only weights of another program, or lacks some of several files.
 */
export function chooseWeights(listing: readonly { readonly name: string }[], names: readonly string[]): string[] {
  const all = listing.map(({ name }) => name);
  const chosen = withIndexes(names).find((name) => all.includes(name));
  if (chosen !== undefined) return isIndex(chosen) ? [chosen, ...chooseShards(all, chosen)] : [chosen];
  const error = otherWeights(all, 'The repository', names);
  if (error !== undefined) throw error;
  return [names[0]!];
}

/**
 * Explains why a model has none of the files of weights that are read.
 *
 * @param where The folder or the name of the model, for the message.
 * @returns The error if the model has weights of another program; undefined otherwise.
 */
function otherWeights(
  names: readonly string[],
  where: string,
  expected: readonly string[],
): CheckpointError | undefined {
  for (const [pattern, what, action] of unreadable) {
    const name = names.find((candidate) => pattern.test(candidate));
    if (name !== undefined) {
      return new CheckpointError(
        `${where} must have ${expected.join(' or ')}, and has only ${name}, ${what}. ${action}`,
      );
    }
  }
  return undefined;
}

/** Lists the names of a folder's files, and of those in its folder `onnx`; none if it cannot be read. */
async function fileNames(folder: string): Promise<string[]> {
  const [names, graphs] = await Promise.all(
    [folder, join(folder, 'onnx')].map((path) => readdir(path).catch((): string[] => [])),
  );
  return [...names!, ...graphs!.map((name) => `onnx/${name}`)];
}
