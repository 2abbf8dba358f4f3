/** The images, tokens and captions of all runs. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTokenShards, type TokenShards, writeTokenShards } from '@dalle-mini/data';
import { type EmojiDataset, type EmojiSplit, prepareEmoji } from '@dalle-mini/data/emoji';
import type { Runtime } from '@dalle-mini/graph';
import { type ModelParts, readModelFolder } from '@dalle-mini/pipeline';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { concepts, imageSize } from './grid.js';

export interface StudyData {
  readonly model: ModelParts;
  readonly tokenizer: VqganTokenizer;
  readonly emoji: EmojiDataset;
  readonly training: TokenShards;
  readonly heldOut: TokenShards;
}

/** Draws the emoji, and encodes them with the VQ-GAN of the bundled model. What is there already stays. */
export async function openData(folder: string, runtime: Runtime): Promise<StudyData> {
  const bundled = fileURLToPath(new URL('.', import.meta.resolve('@dalle-mini/emoji/model/model.json')));
  const model = await readModelFolder(bundled);
  const { config, parameters } = model.imageTokenizer;
  const tokenizer = new VqganTokenizer(config, parameters, { runtime });
  const emoji = await prepareEmoji(join(folder, 'pictures'), { imageSize, concepts });
  const encode = async (split: EmojiSplit) => {
    const path = join(folder, 'tokens', split);
    await writeTokenShards(emoji.subset(split), tokenizer, path);
    return openTokenShards(path);
  };
  return { model, tokenizer, emoji, training: await encode('train'), heldOut: await encode('held-out-drawings') };
}
