/**
 * Writes docs/published-models.md from the results of the tests: which published models load, and what is compared with the published
 * code. `node scripts/published-models.mjs results.json`, where `npm test -- --reporter=json --outputFile=results.json` made the results;
 * with `--check` it writes nothing, and fails unless every row is green and the file is what it would write.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';

/** Selects the tests of a file whose names start with `beginning`, all of which must pass. An empty string selects all tests. */
const tests = (file, ...beginnings) => ({
  file: `packages/${file}.test.ts`,
  beginnings: beginnings.length ? beginnings : [''],
});

const rows = [
  {
    model: 'DALL·E Mini, DALL·E Mega (borisdayma/dalle-mini)',
    files:
      '`config.json`, `flax_model.msgpack` (fp32 and fp16, layers stacked or not), `tokenizer.json` or `vocab.json` and `merges.txt`, `enwiki-words-frequency.txt`',
    compared:
      'hidden states and logits at every position, gradients, greedy tokens with and without super conditioning',
    tests: [
      tests('text-encoder/test/bart', "DALL·E Mini's published text encoder", 'importTextEncoder'),
      tests('text-encoder/test/bart-text-encoder'),
      tests('decoder/test/dalle-mini'),
      tests('decoder/test/published', 'importDecoder'),
      tests('text-encoder/test/vocabulary-files', 'the tokenizer of BartTokenizerFast'),
      tests('pipeline/test/integration/published-model', 'a published DALL·E Mini'),
    ],
  },
  {
    model: 'the options of its configuration',
    files: '`config.json`',
    compared: 'hidden states, logits and greedy tokens of each set of options; what cannot run is refused by name',
    tests: [
      tests('decoder/test/integration/options'),
      tests('text-encoder/test/bart', "DALL·E Mini's published text encoder gives the same hidden states, variant"),
      tests('decoder/test/published', 'importDecoderConfig'),
      tests('text-encoder/test/bart', 'importTextEncoderConfig'),
    ],
  },
  {
    model: 'the same, kuprel/min-dalle',
    files: '`encoder.pt`, `decoder.pt`, `detoker.pt`, `vocab.json`, `merges.txt`',
    compared: 'names and shapes of all weights, token ids, pixels',
    tests: [
      tests('pipeline/test/integration/published-model', 'a model of min-dalle'),
      tests(
        'vqgan/test/published',
        'a decoder without its encoder',
        'openVqganTokenizer, of released files reads detoker.pt',
      ),
      tests('text-encoder/test/vocabulary-files', 'the tokenizer of min-dalle'),
    ],
  },
  {
    model: 'aMUSEd of 256 and 512 pixels (amused/amused-256, in diffusers)',
    files:
      '`model_index.json` and the folders of its parts: `transformer`, `vqvae`, `scheduler`, `text_encoder`, `tokenizer`',
    compared: 'hidden states and embeddings of captions, logits, greedy tokens with guidance, pixels',
    tests: [tests('pipeline/test/amused')],
  },
  {
    model: 'VQ-GAN f16-16384 and f16-1024, flax (patil-suraj/vqgan-jax)',
    files: '`config.json`, `flax_model.msgpack`',
    compared: 'tokens of images, pixels of tokens',
    tests: [
      tests(
        'vqgan/test/published',
        'a release of vqgan-jax',
        'openVqganTokenizer, of released files opens config.json and flax_model.msgpack',
      ),
    ],
  },
  {
    model: 'VQ-GAN f16 and Gumbel f8 (CompVis/taming-transformers)',
    files: 'Lightning `.ckpt` and `.yaml`, encoder included',
    compared: 'tokens of images, pixels of tokens, gradients of training',
    tests: [
      tests(
        'vqgan/test/published',
        'a release of taming',
        'a release of gumbel',
        "openVqganTokenizer, of released files finds the files in Taming's folders",
      ),
      tests('vqgan/test/taming'),
    ],
  },
  {
    model: 'minDALL-E (kakaobrain/minDALL-E)',
    files:
      '`config.yaml`, Lightning `stage1_last.ckpt` and `stage2_last.ckpt`, `tokenizer/bpe-16k-vocab.json` and `-merges.txt`',
    compared:
      'hidden states and logits of text and image tokens, greedy tokens, token ids, pixels; what is unknown is refused by name',
    tests: [
      tests('decoder/test/decoder-only', "minDALL-E's model"),
      tests('pipeline/test/integration/published-sequences', "fromPretrained with minDALL-E's release"),
    ],
  },
  {
    model: 'LlamaGen (FoundationVision/LlamaGen)',
    files:
      '`c2i_*.pt` or `t2i_*.pt`, `vq_ds16_*.pt` or `vq_ds8_c2i.pt`; FLAN-T5 in the folder `flan-t5-xl`; `config.json` with `n_head` for other widths than the published ones',
    compared:
      'hidden states and logits, greedy tokens with and without guidance, tokens of images, pixels of tokens; what is unknown is refused by name',
    tests: [
      tests('decoder/test/llama-gen'),
      tests('pipeline/test/integration/published-sequences', "fromPretrained with LlamaGen's release"),
    ],
  },
  ...[
    ['bert', 'BERT, MiniLM'],
    ['roberta', 'RoBERTa'],
    ['distilbert', 'DistilBERT'],
    ['bart', "BART's encoder"],
  ].map(([family, model]) => ({
    model: `${model} (Hugging Face)`,
    files:
      '`model.safetensors`, `pytorch_model.bin`, `flax_model.msgpack`, `tokenizer.json` or the files of the vocabulary',
    compared: 'hidden states of all files and options, token ids',
    tests: [
      tests('text-encoder/test/integration/hugging-face-text-encoder', `${family} `),
      tests('text-encoder/test/vocabulary-files', "Hugging Face's tokenizers"),
      ...(family === 'bert' ? [tests('text-encoder/test/bert'), tests('text-encoder/test/bert-text-encoder')] : []),
    ],
  })),
  {
    model: "T5 (1.0, 1.1, FLAN), XLM-RoBERTa, MPNet, CLIP's text encoder (Hugging Face)",
    files: '`model.safetensors`, `pytorch_model.bin`, `tokenizer.json`',
    compared: "hidden states, CLIP's embeddings, token ids; what is unknown is refused by name",
    tests: [tests('text-encoder/test/text-encoders')],
  },
  {
    model: 'CLIP ViT-B/32 and ViT-B/16 (Hugging Face, OpenAI)',
    files: '`model.safetensors`, `pytorch_model.bin`, `tokenizer.json` or `vocab.json` and `merges.txt`',
    compared: 'hidden states, embeddings, scores, pixels before the model, token ids',
    tests: [
      tests('clip/test/clip'),
      tests('clip/test/clip-ranker'),
      tests('clip/test/published'),
      tests('clip/test/pixels'),
      tests('clip/test/tokenizer'),
    ],
  },
  {
    model: 'captions as DALL·E Mini reads them',
    files: '`enwiki-words-frequency.txt`',
    compared: 'normalized text and token ids of 501 awkward captions',
    tests: [
      tests('text-encoder/test/text-normalizer'),
      tests('text-encoder/test/vocabulary-files', 'DalleBartProcessor'),
    ],
  },
  {
    model: 'sampling',
    files: '',
    compared: 'the distribution before sampling, and how often each token is sampled from it',
    tests: [tests('decoder/test/sampling'), tests('decoder/test/integration/sampling-reference')],
  },
  {
    model: 'writing',
    files: 'the published layouts of DALL·E Mini and of vqgan-jax, safetensors, ONNX',
    compared: 'names, shapes and bytes as in the published files; outputs after reading them again',
    tests: [
      tests('decoder/test/published'),
      tests('vqgan/test/published'),
      tests('pipeline/test/integration/write-published'),
      tests('pipeline/test/integration/write-model-folder', 'writeModelFolder'),
      tests('decoder/test/onnx'),
      tests('text-encoder/test/onnx'),
      tests('vqgan/test/onnx'),
      tests('clip/test/saving'),
    ],
  },
  {
    model: 'the hub',
    files: '',
    compared:
      "downloads from a server that cuts connections, sends wrong bytes and refuses; the layout of the Python libraries' cache",
    tests: [tests('weights/test/hub'), tests('pipeline/test/integration/published-model', 'a model of the hub')],
  },
  {
    model: 'damaged and hostile files',
    files: 'every format above',
    compared: 'each loads, or fails with an error that names the fault',
    tests: [
      tests('weights/test/fuzz'),
      tests('weights/test/pytorch'),
      tests('weights/test/flax-msgpack'),
      tests('weights/test/safetensors'),
    ],
  },
];

/** Kinds of checkpoint files, which each of the models above may be in. */
const kinds = [
  {
    kind: 'safetensors',
    read: 'one file, or several with `model.safetensors.index.json`; floats of 16, 32 and 64 bits, bfloat16 and integers',
    tests: [
      tests('weights/test/safetensors'),
      tests('weights/test/read-checkpoint', 'python.safetensors'),
      tests('weights/test/hugging-face-folder', 'weights in several files'),
    ],
  },
  {
    kind: 'PyTorch (`.bin`, `.pt`, `.pth`, `.ckpt`)',
    read: 'zip archives and the legacy format, pickles of protocols 0 to 5 and of Python 2, in one file or with `pytorch_model.bin.index.json`; tied, transposed and strided tensors. No code is run',
    tests: [
      tests('weights/test/pytorch', 'a file of torch.save'),
      tests('weights/test/read-checkpoint', 'torch-state-dict', 'torch-lightning'),
    ],
  },
  {
    kind: 'TorchScript',
    read: 'the tensors of `torch.jit.save`; its code is not read',
    tests: [
      tests('weights/test/pytorch', 'the code of TorchScript'),
      tests('weights/test/read-checkpoint', 'torch-script'),
    ],
  },
  {
    kind: 'Flax (`.msgpack`)',
    read: 'arrays of any size, also those that Flax splits; states of training, without what belongs to the optimizer',
    tests: [tests('weights/test/flax-msgpack'), tests('weights/test/read-checkpoint', 'flax-', 'of Flax')],
  },
  {
    kind: '8-bit floats',
    read: '`float8_e4m3fn`, `float8_e5m2` and their `fnuz` variants, in safetensors and PyTorch, without scales',
    tests: [tests('weights/test/read-checkpoint', '8-bit floats', 'torch-float8')],
  },
  {
    kind: 'names with a prefix',
    read: 'one that all names of the model share: `module.`, `_orig_mod.`, `model.`, `first_stage_model.`, `params/`, several of them, or any other',
    tests: [tests('weights/test/model-tensors', 'findModel')],
  },
  {
    kind: 'files of training programs',
    read: 'dicts with the model under `state_dict`, `model_state_dict`, `model_state`, `model`, `module`, `params` or `weights`; Lightning. Optimizers, schedules and unknown objects are left out',
    tests: [
      tests('weights/test/pytorch', 'what a training program saved is read from'),
      tests('weights/test/read-checkpoint', 'of a training program'),
    ],
  },
  {
    kind: 'moving averages (EMA)',
    read: "with `which: 'ema'` (`--which ema`): dicts such as `ema`, `params_ema` and `swa_model`; `model_ema.*` of latent diffusion; `ema.*` in safetensors and Flax; `shadow_params` of torch-ema and diffusers next to the model; Lightning's `WeightAveraging`",
    tests: [
      tests(
        'weights/test/pytorch',
        'what a training program saved has its average',
        'what a training program saved an average that is a list',
        'what a training program saved by Lightning',
      ),
      tests('weights/test/read-checkpoint', 'of a training program the average of'),
      tests('pipeline/test/integration/write-published', 'which: ema'),
    ],
  },
];

/** Kinds of files that are refused, with an error that names them and what to do. */
const refused = [
  ['whole models of `torch.save(model)`, and other pickles', 'their classes would have to be run'],
  ["quantized tensors: PyTorch's, GPTQ, AWQ, bitsandbytes, compressed-tensors", 'quantize with `dtype` instead'],
  ['sparse tensors, complex numbers, files of big-endian machines', ''],
  ["GGUF, ONNX, HDF5 and TensorFlow, OpenCLIP's layout, LoRA adapters", 'use the model that they were made of'],
  ['archives (gzip, Zstandard, xz, bzip2, 7-Zip, tar)', 'unpack them first'],
  ['Git LFS pointers, web pages, JSON in place of weights', 'download the file again'],
  ['averages that are lists without the model next to them', 'copy them into the model in Python'],
  ['tensors that the model does not have, and options that change what it computes', 'each by its name'],
];

const [resultsPath, ...flags] = process.argv.slice(2);
const results = JSON.parse(await readFile(resultsPath, 'utf8'));
const byFile = new Map(
  results.testResults.map(({ name, assertionResults }) => [relative(resolve('.'), name), assertionResults]),
);

/** Checks whether all tests of a row ran and passed. */
function isGreen({ tests }) {
  return tests.every(({ file, beginnings }) =>
    beginnings.every((beginning) => {
      const chosen = (byFile.get(file) ?? []).filter(({ fullName }) => fullName.startsWith(beginning));
      const isGood = chosen.length > 0 && chosen.every(({ status }) => status === 'passed');
      if (!isGood)
        console.error(`${file}, tests that begin with "${beginning}": ${chosen.length} ran, and not all passed`);
      return isGood;
    }),
  );
}

const states = [...rows, ...kinds].map(isGreen);
const lines = rows.map(
  ({ model, files, compared }, i) => `| ${model} | ${files} | ${compared} | ${states[i] ? '✓' : '✗'} |`,
);
const kindLines = kinds.map(({ kind, read }, i) => `| ${kind} | ${read} | ${states[rows.length + i] ? '✓' : '✗'} |`);
const refusedLines = refused.map(([kind, action]) => `| ${kind} | ${action} |`);

const page = `# Published models

Which published models load, and what is compared with the published code. A row is green if all of its tests passed; this page is made from
their results.

**The published weights themselves were never run here**: they cannot be downloaded where this project is developed. What is tested is the published code
with small random weights, in files of the same formats and with the same names. If a published file does not load for you, please open an issue.

References are outputs of the published Python code itself, on small random weights that the original library saved in the published format:
the scripts in \`scripts/reference\` say which repository and packages they need. Hidden states, logits and pixels agree to 1e-4
relative or better in float32; tokens and token ids are equal.

| model | files | what is compared | state |
| --- | --- | --- | --- |
${lines.join('\n')}

## Checkpoint files

The content of a file tells its format, not its name. Each of these kinds may have any of the models above:

| kind | what is read | state |
| --- | --- | --- |
${kindLines.join('\n')}

These are refused, with an error that names the file and what to do:

| kind | what to do, or why |
| --- | --- |
${refusedLines.join('\n')}
`;

const path = 'docs/published-models.md';
if (flags.includes('--check')) {
  const isCurrent = (await readFile(path, 'utf8').catch(() => '')) === page;
  if (!isCurrent)
    console.error(`${path} must agree with the results of the tests. Run node scripts/published-models.mjs.`);
  process.exitCode = isCurrent && states.every(Boolean) ? 0 : 1;
} else {
  await writeFile(path, page);
}
