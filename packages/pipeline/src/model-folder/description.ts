/** `model.json`, which describes a model folder. */
import {
  describeValue,
  type Field,
  field,
  integer,
  object,
  oneOf,
  optional,
  readConfig,
  refuse,
  type SamplingOptions,
  samplingFields,
  string,
} from '@dalle-mini/core';
import { folderError, ModelFolderError } from './error.js';
import type { TextEncoderDescription } from './text-encoder-description.js';

export const format = 'dalle-mini-model';
export const version = 1;
export const descriptionFile = 'model.json';

const decoderTypes = ['dalle-mini', 'decoder-only', 'llama-gen', 'masked'] as const;

/** The kinds of decoders: `kind` of their configurations. */
export type DecoderType = (typeof decoderTypes)[number];

/** `model.json`: the description of a model folder. Folders of parts are relative to it. */
export interface ModelDescription {
  readonly format: typeof format;
  readonly version: typeof version;
  readonly name: string;
  /** SPDX identifier of the license of the weights. */
  readonly license?: string | undefined;
  readonly imageTokenizer: { readonly type: 'vqgan'; readonly folder: string };
  readonly textEncoder: TextEncoderDescription;
  readonly decoder: { readonly type: DecoderType; readonly folder: string };
  /** Default sampling options. A call may set other values. */
  readonly sampling: SamplingOptions;
}

/** A name rather than a path, so that an untrusted model folder cannot lead to files elsewhere. */
const folderName = field<string>(
  'the name of a folder next to it',
  (value) => typeof value === 'string' && /^[\w-][\w.-]*$/.test(value),
);

const descriptionFields = object<ModelDescription>({
  format: oneOf([format]),
  version: oneOf([version]),
  name: string(),
  license: optional(string()),
  imageTokenizer: object<ModelDescription['imageTokenizer']>({ type: oneOf(['vqgan']), folder: folderName }),
  textEncoder: object<{
    type: TextEncoderDescription['type'];
    folder: string;
    maxLength: number;
    tokenizer?: 'bart' | 'min-dalle' | undefined;
  }>(
    {
      type: oneOf(['bert', 'dalle-mini', 'tokens', 'classes']),
      folder: folderName,
      maxLength: integer({ min: 1, max: 2 ** 17 }),
      tokenizer: optional(oneOf(['bart', 'min-dalle'])),
    },
    {
      check: ({ type, tokenizer }, at) => {
        if (type === 'dalle-mini' && tokenizer === undefined)
          refuse(at('tokenizer'), '"bart" or "min-dalle"', tokenizer);
      },
    },
  ) as Field<TextEncoderDescription>,
  decoder: object<ModelDescription['decoder']>({ type: oneOf(decoderTypes), folder: folderName }),
  sampling: object(samplingFields),
});

/**
 * Checks a parsed `model.json`.
 *
 * @param path The path or the address of the file, for error messages.
 * @throws ModelFolderError if a field is wrong for this version.
 */
export function parseModelDescription(json: Readonly<Record<string, unknown>>, path: string): ModelDescription {
  if (json.format === format && json.version !== version) {
    throw new ModelFolderError(
      `${path}: version must be ${version}, not ${describeValue(json.version)}. Update @dalle-mini/pipeline, or download the model again.`,
    );
  }
  try {
    return readConfig(descriptionFields, json, path);
  } catch (error) {
    throw folderError(path, error);
  }
}
