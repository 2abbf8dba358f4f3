import { join } from 'node:path';
import { boolean, field, integer, list, object, optional, readOptions, string } from '@dalle-mini/core';
import { exists } from '@dalle-mini/core/node';
import { type UploadedFolder, type UploadOptions, uploadFolder } from '@dalle-mini/weights/hub';
import { readModelDescription } from '../model-folder/model-folder.js';
import { modelCard, sheetName, type TrainingDetails } from './model-card.js';

export interface PushModelOptions extends Omit<UploadOptions, 'files' | 'keep'> {
  /** What the model card tells of the training. */
  readonly training?: TrainingDetails | undefined;
  /** Whether the card replaces one that the repository has. Default false. */
  readonly replaceCard?: boolean | undefined;
}

export interface PushedModel extends UploadedFolder {
  /** The model card that was made. `undefined` if the model folder has a `README.md`. */
  readonly card: string | undefined;
}

const cardName = 'README.md';

const cardFields = object<Pick<PushModelOptions, 'training' | 'replaceCard'>>({
  training: optional(
    object<TrainingDetails>({
      datasets: optional(list(string())),
      samples: optional(integer()),
      steps: optional(integer()),
      figures: optional(field('an object of numbers', (value) => typeof value === 'object' && value !== null)),
      sheet: optional(
        object({
          png: field<Uint8Array>('the bytes of a PNG file', (value) => value instanceof Uint8Array),
          prompts: list(string({ minLength: 0 })),
        }),
      ),
    }),
  ),
  replaceCard: optional(boolean(), false),
});

/**
 * Uploads a model folder to the Hugging Face hub, with a model card: the `README.md` of the folder or, without one, a
 * card that is made from the model and the details of its training. A card that the repository has is kept.
 *
 * @param folder A model folder, as `writeModelFolder` and training write it.
 * @param repo The name of the repository, `owner/name`.
 * @throws ModelFolderError if it is not a model folder; the errors of `uploadFolder`.
 *
 * @example
 * ```ts no-run
 * import { pushModel } from '@dalle-mini/pipeline';
 *
 * const { url } = await pushModel('runs/decoder/model', 'owner/name', { private: true });
 * console.log(url);
 * ```
 */
export async function pushModel(folder: string, repo: string, options: PushModelOptions = {}): Promise<PushedModel> {
  const { training, replaceCard, ...upload } = options;
  const { training: details } = readOptions(cardFields, { training, replaceCard }, 'pushModel');
  const description = await readModelDescription(folder);
  if (await exists(join(folder, cardName))) return { ...(await uploadFolder(folder, repo, upload)), card: undefined };
  const card = modelCard(description, repo, details);
  const files = new Map<string, Uint8Array>([[cardName, new TextEncoder().encode(card)]]);
  if (details?.sheet) files.set(sheetName, details.sheet.png);
  const keep = replaceCard ? [] : [cardName];
  return { ...(await uploadFolder(folder, repo, { ...upload, files, keep })), card };
}
