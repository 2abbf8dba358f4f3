/** minDALL-E as kakaobrain released it, in the folder of its archive. */
import { join } from 'node:path';
import { importMinDalleE, importMinDalleEConfig } from '@dalle-mini/decoder';
import { type CharBpeFiles, charBpeTokenizerJson } from '@dalle-mini/text-encoder/tokenizers';
import { importVqganConfig } from '@dalle-mini/vqgan';
import { readYamlFile } from '@dalle-mini/vqgan/node';
import type { WhichReader } from '@dalle-mini/weights';
import { inFile } from '../model-folder/error.js';
import { readJson, readTensors, readText } from '../model-folder/files.js';
import { writeTokensFile } from '../model-folder/text-encoder.js';
import type { PublishedModel } from './published-model.js';

/** The files and the folder that a release has. */
export const minDalleEFiles = ['config.yaml', 'stage1_last.ckpt', 'stage2_last.ckpt', 'tokenizer'] as const;

/** @throws ModelFolderError that names a file which is damaged or has an option that is not known. */
export async function openMinDalleE(folder: string, weights: WhichReader): Promise<PublishedModel> {
  const path = join(folder, 'config.yaml');
  const configs = await inFile(path, async () => {
    const json = await readYamlFile(path);
    return { decoder: importMinDalleEConfig(json, path), vqgan: importVqganConfig(json, path) };
  });
  const tokenizer = (name: string) => join(folder, 'tokenizer', name);
  const vocab = (await readJson(tokenizer('bpe-16k-vocab.json'))) as CharBpeFiles['vocab'];
  const merges = await readText(tokenizer('bpe-16k-merges.txt'));
  const maxLength = configs.decoder.textLength;
  const checkpoint = join(folder, 'stage2_last.ckpt');
  return {
    textEncoder: { type: 'tokens', maxLength },
    writeTextEncoderFiles: (to) =>
      writeTokensFile(to, { tokenizerJson: charBpeTokenizerJson({ vocab, merges }), maxLength }),
    decoder: configs.decoder,
    importDecoder: async () => {
      const tensors = await weights.read((which) => readTensors(checkpoint, { which }));
      return inFile(checkpoint, () => importMinDalleE(tensors, configs.decoder));
    },
    vqgan: async () => ({ config: configs.vqgan, weights: join(folder, 'stage1_last.ckpt') }),
    // As its README recommends. It was trained without guidance.
    sampling: { topK: 256 },
  };
}
