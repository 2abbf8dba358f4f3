/** The contents of a model folder that was downloaded. */
import { parseJsonObject } from '@dalle-mini/core';
import { type FileDownloadOptions, FileDownloads, type RemoteFile } from '@dalle-mini/weights/browser';
import { type ModelDescription, parseModelDescription } from '../model-folder/description.js';
import { inFile, ModelFolderError } from '../model-folder/error.js';
import { configFile, weightsFile } from '../model-folder/part-kind.js';
import type { ModelSource } from './model-source.js';

/** The files of a model in memory. */
export class ModelFiles {
  constructor(
    /** The name or the address of the model, for error messages. */
    readonly name: string,
    private readonly contents: Map<string, Uint8Array>,
  ) {}

  /** Whether the model has a file. */
  has(path: string): boolean {
    return this.contents.has(path);
  }

  /** Returns the path of a file with the model's name, for error messages. */
  at(path: string): string {
    return `${this.name}${this.name.endsWith('/') ? '' : '/'}${path}`;
  }

  /** Returns the bytes of a file, which are forgotten: weights are large. */
  take(path: string): Uint8Array {
    const bytes = this.contents.get(path);
    if (!bytes) throw new ModelFolderError(`${this.at(path)} is missing. Check the address of the model.`);
    this.contents.delete(path);
    return bytes;
  }

  text(path: string): string {
    return new TextDecoder().decode(this.take(path));
  }

  json(path: string): Promise<Record<string, unknown>> {
    return inFile(this.at(path), () => parseJsonObject(this.text(path), this.at(path)));
  }
}

/**
 * Downloads the files of a model folder.
 *
 * @throws ModelFolderError if one is missing; HubError if one cannot be downloaded.
 */
export async function downloadModelFolder(
  source: ModelSource,
  options: FileDownloadOptions,
): Promise<{ readonly description: ModelDescription; readonly files: ModelFiles }> {
  const find = async (path: string): Promise<RemoteFile> => {
    const file = await source.find(path, 'needed');
    if (!file)
      throw new ModelFolderError(
        `${source.name} must have the file ${path}, and has not. Check the address of the model.`,
      );
    return file;
  };
  const { onProgress: _, ...quiet } = options;
  const small = new ModelFiles(source.name, await new FileDownloads(quiet).read([await find('model.json')]));
  const description = parseModelDescription(await small.json('model.json'), small.at('model.json'));
  const { imageTokenizer, textEncoder, decoder } = description;
  const hasWeights = textEncoder.type === 'bert' || textEncoder.type === 'dalle-mini';
  const needed = [imageTokenizer, decoder, ...(hasWeights ? [textEncoder] : [])].flatMap(({ folder }) => [
    `${folder}/${configFile}`,
    `${folder}/${weightsFile}`,
  ]);
  const [found, others] = await Promise.all([
    Promise.all(needed.map(find)),
    textEncoder.type === 'classes'
      ? [await find(`${textEncoder.folder}/classes.json`)]
      : findTokenizerFiles(
          source,
          textEncoder.folder,
          textEncoder.type === 'dalle-mini' ? ['enwiki-words-frequency.txt'] : ['vocab.txt'],
        ),
  ]);
  const contents = await new FileDownloads(options).read([...found, ...others]);
  return { description, files: new ModelFiles(source.name, contents) };
}

/** Finds the files of a tokenizer: `tokenizer.json`, or its vocabulary; and those that only some tokenizers have. */
async function findTokenizerFiles(
  source: ModelSource,
  folder: string,
  others: readonly string[],
): Promise<RemoteFile[]> {
  const findAll = async (names: readonly string[]) =>
    (await Promise.all(names.map((name) => source.find(`${folder}/${name}`)))).filter((file) => file !== undefined);
  const [tokenizer] = await findAll(['tokenizer.json']);
  const isWhole = tokenizer !== undefined && !others.includes('enwiki-words-frequency.txt');
  const vocabulary = tokenizer ? [] : ['vocab.json', 'merges.txt'];
  const rest = await findAll(['tokenizer_config.json', ...vocabulary, ...(isWhole ? [] : others)]);
  return tokenizer ? [tokenizer, ...rest] : rest;
}
