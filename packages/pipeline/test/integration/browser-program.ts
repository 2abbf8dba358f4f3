/** The program of browser.test.ts, which runs in a browser. */
import { DalleMiniDecoder, decoderParameters } from '@dalle-mini/decoder';
import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
import { bindParameters } from '@dalle-mini/graph/stored';
import { TextToImage } from '@dalle-mini/pipeline/text-to-image';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { VqganTokenizer, vqganParameters } from '@dalle-mini/vqgan';
import { readSafetensors } from '@dalle-mini/weights';

async function read(path: string): Promise<Uint8Array> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

// biome-ignore lint/suspicious/noExplicitAny: the classes check what they are given.
const readJson = async (path: string): Promise<any> => JSON.parse(new TextDecoder().decode(await read(path)));

/** Reads `config.json` and `model.safetensors` of a part. */
async function readPart(folder: string) {
  const [config, weights] = await Promise.all([readJson(`${folder}/config.json`), read(`${folder}/model.safetensors`)]);
  return { config, tensors: readSafetensors(weights).tensors };
}

export interface Generated {
  readonly tokens: number[];
  readonly pixels: number[];
}

/** Generates images with the model folder that is served at `/model`. */
export async function generate({ prompt, n, seed }: { prompt: string; n: number; seed: number }): Promise<Generated[]> {
  const runtime = new OnnxRuntimeWeb({ threads: 1, wasmPaths: '/ort/' });
  const [description, decoder, vqgan, encoder, tokenizer] = await Promise.all([
    readJson('/model/model.json'),
    readPart('/model/decoder'),
    readPart('/model/vqgan'),
    readPart('/model/text-encoder'),
    readJson('/model/text-encoder/tokenizer.json'),
  ]);
  const { maxLength } = description.textEncoder;
  const model = new TextToImage({
    textEncoder: await loadTextEncoder(
      { config: encoder.config, tokenizer, weights: encoder.tensors },
      { runtime, maxLength, batchSize: 1 },
    ),
    decoder: new DalleMiniDecoder(decoder.config, bindParameters(decoderParameters(decoder.config), decoder.tensors), {
      runtime,
    }),
    imageTokenizer: new VqganTokenizer(vqgan.config, bindParameters(vqganParameters(vqgan.config), vqgan.tensors), {
      runtime,
    }),
    sampling: description.sampling,
    runtime,
  });
  const images = await model.generate(prompt, { n, seed });
  await model.dispose();
  return images.map(({ tokens, image }) => ({ tokens: [...tokens], pixels: [...image.data] }));
}
