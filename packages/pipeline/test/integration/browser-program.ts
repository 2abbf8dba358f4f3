/** The program of browser.test.ts, which runs in a browser. */
import { DalleMiniDecoder, decoderParameters } from '@dalle-mini/decoder';
import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
import { bindParameters } from '@dalle-mini/graph/stored';
import { type GenerateProgress, TextToImage } from '@dalle-mini/pipeline/text-to-image';
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

/** Opens the model folder that is served at `/model`. */
async function openModel(): Promise<TextToImage> {
  const runtime = new OnnxRuntimeWeb({ threads: 1, wasmPaths: '/ort/' });
  const [description, decoder, vqgan, encoder, tokenizer] = await Promise.all([
    readJson('/model/model.json'),
    readPart('/model/decoder'),
    readPart('/model/vqgan'),
    readPart('/model/text-encoder'),
    readJson('/model/text-encoder/tokenizer.json'),
  ]);
  const { maxLength } = description.textEncoder;
  return new TextToImage({
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
}

/** Generates images. */
export async function generate({ prompt, n, seed }: { prompt: string; n: number; seed: number }): Promise<Generated[]> {
  await using model = await openModel();
  const images = await model.generate(prompt, { n, seed });
  return images.map(({ tokens, image }) => ({ tokens: [...tokens], pixels: [...image.data] }));
}

/** Generates an image until a message says to stop, which is sent after the first row. Returns the name of the error and the rows. */
export async function stopAfterFirstRow(): Promise<{ error: string; rows: number }> {
  await using model = await openModel();
  const stop = new AbortController();
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener('message', () => stop.abort());
  port1.start();
  let rows = 0;
  const onProgress = ({ row }: GenerateProgress) => {
    rows = row;
    if (row === 1) port2.postMessage('stop');
  };
  const generating = model.generate('a red apple', { seed: 7, signal: stop.signal, onProgress });
  const error = await generating.then(
    () => 'none',
    ({ name }: Error) => name,
  );
  return { error, rows };
}
