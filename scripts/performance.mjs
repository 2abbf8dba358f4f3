/**
 * Writes docs/performance.md from benchmarks/results, what the programs in `benchmarks` measured last: `node scripts/performance.mjs`, after
 * a build. With `--check` it writes nothing, and fails unless the file is what it would write.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { timeOf } from '../benchmarks/dist/measurement.js';
import { median } from '../benchmarks/dist/processes.js';
import { rooflineOf } from '../benchmarks/dist/work.js';

/** Reads the results that the benchmarks wrote to a folder with `--out`. */
async function readResults(folder) {
  const read = async (name) => {
    try {
      return JSON.parse(await readFile(`${folder}/${name}.json`, 'utf8'));
    } catch (error) {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    }
  };
  return Object.fromEntries(await Promise.all(Object.keys(commands).map(async (name) => [name, await read(name)])));
}

/** The command behind each file of results. */
const commands = {
  mini: 'generate -- --work MODELS --images 1 --rounds 3 --dtype fp32 --dtype q8 --dtype q4 --python PYTHON --min-dalle CLONE',
  'mini-four': 'generate -- --work MODELS --images 4 --dtype fp32 --dtype q8',
  'mini-nine': 'generate -- --work MODELS --images 9 --dtype fp32 --dtype q8 --python PYTHON --min-dalle CLONE',
  mega: 'generate -- --work MODELS --size mega --dtype q8 --dtype q4',
  'mega-more': 'generate -- --work MODELS --size mega --images 4 --images 9 --dtype q8',
  tokenize: 'tokenize -- --python PYTHON',
  'start-mini': 'start -- --work MODELS --dtype fp32 --dtype q8',
  'start-mega': 'start -- --work MODELS --size mega --dtype q8',
  bundled: 'bundled --',
  'dtype-loss': 'dtype-loss --',
  sequences: 'sequences -- --work MODELS --dtype fp32 --dtype q8 --python PYTHON --repository LLAMAGEN',
  'min-dalle-e': 'sequences -- --work MODELS --size min-dalle-e --python PYTHON --repository MIN_DALLE_E',
  masked: 'masked -- --work MODELS --python PYTHON',
  browser: 'browser -- --work MODELS --peers PEERS --python PYTHON',
};
const results = await readResults('benchmarks/results');
/** Other machines, of which the page shows the targets only. */
const otherMachines = [
  {
    folder: 'xeon',
    title: 'On an Intel Xeon',
    text: 'A server with AVX-512 and AMX. PyTorch multiplies matrices with MKL, which uses both on processors of Intel, so the ratios are smaller.',
  },
  {
    folder: 'zen3',
    title: 'Without AVX-512',
    text: 'AMD Zen 3, measured with earlier code.',
  },
];

/** What drew or decoded in one run: this project, in some dtype, and the peers beside it. */
function contenders(measured = []) {
  const find = (engine) => measured.find((contender) => contender.engine.startsWith(engine));
  return {
    here: (dtype) =>
      measured.find(({ engine, dtype: own = 'fp32' }) => engine.startsWith('this project') && own === dtype),
    minDalle: find('min-dalle'),
    transformers: find('transformers'),
  };
}

/** What drew a number of pictures with a model of a size, and on what. */
const groupOf = (results, size, images) =>
  drawings(results).find((group) => group.size === size && group.images === images);

const drawings = (results) =>
  Object.values(results).flatMap((file) =>
    (file?.results ?? []).flatMap((group) => (group.measured ? [{ ...group, size: file.size }] : [])),
  );

/** Returns the median over the rounds of the total time of all stages, in milliseconds. */
const wholeTime = (contender) =>
  contender && median(contender.rounds.map((round) => Object.values(round).reduce((sum, ms) => sum + ms)));

const tokenTime = (contender) => contender && divide(timeOf(contender, '256 tokens'), 256);

function divide(a, b) {
  return a === undefined || b === undefined ? undefined : a / b;
}

/** What this project drew with Mini, and the least that the machine takes for one of its tokens. */
const miniOf = (results, images, dtype) => contenders(groupOf(results, 'mini', images)?.measured).here(dtype);
function tokenRoofline(results, images, dtype) {
  const work = miniOf(results, images, dtype)?.work;
  return work && rooflineOf(work['256 tokens'], groupOf(results, 'mini', images).machine) / 256;
}

/** Returns the figures of the VQ-GAN alone, measured alternately with PyTorch: medians over the rounds. */
function tokenizing(results, task, dtype = 'fp32') {
  const found = results.tokenize?.results.find((result) => result.task === task && (result.dtype ?? 'fp32') === dtype);
  if (!found) return {};
  const side = (index) => found.rounds.flatMap((round) => (round[index] ? [timeOf(round[index], task)] : []));
  const [here, peer] = [side(0), side(1)];
  return {
    here: median(here),
    ...(peer.length > 0 ? { peer: median(peer), ratio: median(peer.map((time, i) => time / here[i])) } : {}),
    roofline: (1e12 * found.gflops) / results.tokenize.machine.flopsPerSecond,
    psnr: found.psnr,
  };
}

const startOf = (results, size, dtype) => results[`start-${size}`]?.results.find((result) => result.dtype === dtype);
/** Largest resident memory in GB. */
const memoryOf = (contender) => contender && (contender.peak_rss_mb * 2 ** 20) / 1e9;

const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
const seconds = (value) => `${(value / 1000).toFixed(2)} s`;
const gigabytes = (value) => `${value.toFixed(2)} GB`;
const rowsOfTokens = (value) => `${value.toFixed(2)} rows`;

/** What a figure is held to: a bound of its own, or one of its ratio to the peer's. */
const atMost = (bound) => ({
  text: (unit) => `≤ ${unit(bound)}`,
  isReached: ({ here }) => (here === undefined ? undefined : here <= bound),
});
const timesFaster = (bound, peer) => ({
  text: () => `≥ ${bound}× ${peer}`,
  isReached: ({ ratio }) => (ratio === undefined ? undefined : ratio >= bound),
});
const shareOf = (bound, peer) => ({
  text: () => `≤ ${bound}× ${peer}`,
  isReached: ({ ratio }) => (ratio === undefined ? undefined : ratio <= bound),
});
const ofRoofline = (bound) => ({
  text: () => `≤ ${bound}× roofline`,
  isReached: ({ here, roofline }) => (here === undefined ? undefined : here <= bound * roofline),
});
const sharper = (bound, psnr, peer) => ({
  text: () => `≥ ${bound}× ${peer}, PSNR ≥ ${psnr} dB`,
  isReached: (figures) =>
    figures.ratio === undefined
      ? undefined
      : figures.ratio >= bound && (figures.psnr ?? Number.POSITIVE_INFINITY) >= psnr,
});

/** Time here and a peer's, and how many times faster it is here. */
const against = (here, peer, roofline) => ({ here, peer, ratio: divide(peer, here), roofline });

const guided = 'Mini, one image with guidance';
const longestGap = (timings) => timings && Math.max(...timings.map(({ longest_gap_ms }) => longest_gap_ms));

/** Each target: what is measured, its unit, what it is held to, and the figures. */
function targets(results) {
  const drawing = (size, images) => contenders(groupOf(results, size, images)?.measured);
  const [one, nine, mega] = [drawing('mini', 1), drawing('mini', 9), drawing('mega', 1)];
  const { bundled } = results;
  const token = (drawn, images, dtype, peer) =>
    against(tokenTime(drawn.here(dtype)), tokenTime(drawn[peer]), tokenRoofline(results, images, dtype));
  return [
    [`${guided}, q8: a token`, milliseconds, atMost(18), token(one, 1, 'q8')],
    [`${guided}, q8: a token`, milliseconds, timesFaster(10, 'min-dalle'), token(one, 1, 'q8', 'minDalle')],
    [`${guided}, q8: a token`, milliseconds, timesFaster(2.5, 'transformers'), token(one, 1, 'q8', 'transformers')],
    [`${guided}, fp32: a token`, milliseconds, timesFaster(5, 'min-dalle'), token(one, 1, 'fp32', 'minDalle')],
    [`${guided}, fp32: a token`, milliseconds, timesFaster(1.2, 'transformers'), token(one, 1, 'fp32', 'transformers')],
    ['Mini, nine images, fp32: a token', milliseconds, timesFaster(6, 'min-dalle'), token(nine, 9, 'fp32', 'minDalle')],
    ['Mini, nine images, fp32: a token', milliseconds, ofRoofline(1.35), token(nine, 9, 'fp32')],
    ['VQ-GAN f16-16384: decode one image', milliseconds, timesFaster(1.2, 'PyTorch'), tokenizing(results, 'decode')],
    [
      'VQ-GAN f16-16384: decode one image, 16-bit weights',
      milliseconds,
      sharper(1.6, 40, 'PyTorch'),
      tokenizing(results, 'decode', 'fp16'),
    ],
    ['VQ-GAN f16-16384: encode eight images', milliseconds, timesFaster(1.2, 'PyTorch'), tokenizing(results, 'encode')],
    ['Mini, q8: prompt to PNG', seconds, atMost(8000), against(wholeTime(one.here('q8')))],
    [
      'Mini, q8: prompt to PNG',
      seconds,
      timesFaster(8, 'min-dalle'),
      against(wholeTime(one.here('q8')), wholeTime(one.minDalle)),
    ],
    ['Mini, q8: peak memory', gigabytes, atMost(1.2), { here: memoryOf(one.here('q8')) }],
    [
      'Mini, q8: peak memory',
      gigabytes,
      shareOf(0.35, 'min-dalle'),
      {
        here: memoryOf(one.here('q8')),
        peer: memoryOf(one.minDalle),
        ratio: divide(memoryOf(one.here('q8')), memoryOf(one.minDalle)),
      },
    ],
    ['Mega, q8: peak memory', gigabytes, atMost(5), { here: memoryOf(mega.here('q8')) }],
    ['Mega, q4: peak memory', gigabytes, atMost(3.5), { here: memoryOf(mega.here('q4')) }],
    ...['fp32', 'q8'].map((dtype) => [
      `Mini, ${dtype}: start of the process to the first token`,
      seconds,
      atMost(1500),
      { here: startOf(results, 'mini', dtype)?.start.first_token_ms },
    ]),
    [
      'bundled model: four images',
      seconds,
      atMost(1500),
      { here: bundled && median(bundled.warm.map(({ draw, png }) => draw.ms + png.ms)) },
    ],
    [
      'bundled model: four images, from the start of the process',
      seconds,
      atMost(3000),
      { here: bundled && median(bundled.process_ms) },
    ],
    [
      'event loop blocked, bundled model: generate',
      milliseconds,
      atMost(20),
      { here: longestGap(bundled?.warm.flatMap(({ draw, png }) => [draw, png])) },
    ],
    [
      'event loop blocked, bundled model: first generate',
      milliseconds,
      atMost(20),
      { here: longestGap(bundled && Object.values(bundled.first)) },
    ],
    [
      'bundled model: end of a call that was cancelled',
      rowsOfTokens,
      atMost(1),
      { here: bundled && Math.max(...bundled.cancel.map(({ ms, row_ms }) => ms / row_ms)) },
    ],
  ];
}

const states = new Map([
  [true, '✓'],
  [false, '✗'],
  [undefined, 'not measured'],
]);
const targetLine = ([what, unit, target, figures]) => {
  const { here, peer, ratio, roofline, psnr } = figures;
  const pixels = psnr === undefined ? '' : `, ${psnr === null ? 'equal pixels' : `${psnr.toFixed(1)} dB`}`;
  const cell = (value, text) => (value === undefined ? '' : text(value));
  const cells = [
    what,
    target.text(unit),
    cell(here, (value) => unit(value) + pixels),
    cell(peer, unit),
    cell(ratio, (value) => `${value.toFixed(2)}×`),
    cell(roofline, unit),
    states.get(target.isReached(figures)),
  ];
  return `| ${cells.join(' | ')} |`;
};
const targetLines = targets(results).map(targetLine);

/** What is measured, in columns. */
const targetColumns = `| | target | here | peer | ratio | roofline | reached |
| --- | --- | ---: | ---: | ---: | ---: | --- |`;

const rates = ({ bytesPerSecond, flopsPerSecond }) =>
  `${(bytesPerSecond / 1e9).toFixed(1)} GB/s, ${(flopsPerSecond / 1e9).toFixed(0)} GFLOP/s`;

/** The section of another machine: what was measured there, of the targets. */
async function machineSection({ folder, title, text }) {
  const results = await readResults(`benchmarks/results/${folder}`);
  const { machine, measured } = groupOf(results, 'mini', 1);
  const { about, date } = results.mini;
  const lines = targets(results).flatMap((row) => (row[3].here === undefined ? [] : [targetLine(row)]));
  return `## ${title}

${text} ${about.cores} cores of ${about.processor}, ${rates(machine)}, ${pyTorchOf(measured)}, ${date.slice(0, 10)}.

${targetColumns}
${lines.join('\n')}
`;
}
const pyTorchOf = (measured) => contenders(measured).minDalle.engine.replace(/^.*PyTorch /, 'PyTorch ');
const machineSections = await Promise.all(otherMachines.map(machineSection));

const bundledLoad = results.bundled
  ? `The bundled model loads in ${seconds(results.bundled.load.ms)}, during which the event loop is blocked for ${milliseconds(results.bundled.load.longest_gap_ms)} at most.`
  : '';

const losses = results['dtype-loss'];
const lossLines = (losses?.losses ?? []).map(({ dtype, decoder_mb, plain, guided, text_cosine, psnr }) => {
  const divergence = ({ kl_nats, agreement }) => [
    kl_nats === 0 ? '0' : kl_nats.toPrecision(2),
    `${(100 * agreement).toFixed(1)} %`,
  ];
  const cells = [dtype, `${decoder_mb.toFixed(1)} MB`, ...divergence(plain), ...divergence(guided)];
  return `| ${[...cells, text_cosine.toFixed(4), psnr === null ? 'equal' : `${psnr.toFixed(1)} dB`].join(' | ')} |`;
});

/** A stage of a drawing, with its roofline in parentheses. */
function stageCell(contender, stage, machine, count = 1) {
  const time = timeOf(contender, stage);
  if (time === undefined) return '';
  const work = contender.work?.[stage];
  const text = (value) => (value / count < 1000 ? milliseconds(value / count) : seconds(value / count));
  return work ? `${text(time)} (${text(rooflineOf(work, machine))})` : text(time);
}
const stageLines = drawings(results).flatMap(({ size, images, machine, measured }) =>
  measured
    .filter(({ engine }) => engine.startsWith('this project'))
    .map((contender) => {
      const cell = (stage, count) => stageCell(contender, stage, machine, count);
      const cells = [
        `${size}, ${contender.dtype}`,
        images,
        cell('tokenize'),
        cell('encode text'),
        cell('keys and values'),
        cell('256 tokens', 256),
        cell('products of 256 tokens', 256),
        cell('decode pixels'),
        cell('PNG'),
        gigabytes(memoryOf(contender)),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
);

/** Returns the milliseconds of only a token's products with weights. */
function alone(images, dtype) {
  const drawn = miniOf(results, images, dtype);
  return drawn && divide(timeOf(drawn, 'products of 256 tokens'), 256);
}
function aloneText(images, dtype) {
  const products = alone(images, dtype);
  if (products === undefined) return 'not measured';
  return `its products with weights alone took ${milliseconds(products)} of ${milliseconds(tokenTime(miniOf(results, images, dtype)))}`;
}

const loadMemory = (measured) => gigabytes((measured.load_peak_rss_mb * 2 ** 20) / 1e9);
const startLines = ['mini', 'mega'].flatMap((size) =>
  (results[`start-${size}`]?.results ?? []).map(({ dtype, conversion, start }) => {
    const first = conversion ? [seconds(conversion.load_ms), loadMemory(conversion)] : ['', ''];
    const cells = [...first, seconds(start.load_ms), loadMemory(start), seconds(start.first_token_ms)];
    return `| ${size}, ${dtype} | ${cells.join(' | ')} |`;
  }),
);

/** A decoder of another kind: its time for 256 tokens, compared with that of its published code. */
function decoderLine(name, passes, measured, peer) {
  const time = timeOf(measured, '256 tokens');
  const ratio = peer && peer !== measured ? `${(timeOf(peer, '256 tokens') / time).toFixed(2)}×` : '';
  const cells = [name, passes, seconds(time), milliseconds(time / passes), ratio, gigabytes(memoryOf(measured))];
  return `| ${cells.join(' | ')} |`;
}
/** The lines of a decoder-only model, and of its published code. */
function sequenceLines(name, { measured = [] } = {}) {
  const peer = measured.find(({ engine }) => !engine.startsWith('this project'));
  return measured.map((one) => decoderLine(one === peer ? one.engine : `${name}, ${one.dtype}`, 256, one, peer));
}
const sequencesLines = [
  ...sequenceLines(`LlamaGen ${results.sequences?.size}`, results.sequences),
  ...sequenceLines('minDALL-E', results['min-dalle-e']),
];
const maskedRows = results.masked?.rows ?? [];
const maskedOf = (name, passes) => maskedRows.find((row) => row.name === name && row.passes === passes)?.measured;
const decoderNames = { autoregressive: 'DALL·E Mini', masked: 'masked, of the size of DALL·E Mini' };
const maskedLines = maskedRows.map(({ name, passes, measured }) => {
  const peer = name === 'aMUSEd' ? maskedOf('aMUSEd, diffusers', passes) : undefined;
  return decoderLine(decoderNames[name.split(',')[0]] ?? name, passes, measured, peer);
});
/** How much longer a masked decoder takes than the one of the same size that generates tokens one by one. */
function maskedText() {
  const whole = maskedOf('autoregressive', 256);
  const others = maskedRows.filter(({ name }) => name.startsWith('masked'));
  if (!whole || others.length === 0) return '';
  const texts = others.map(({ passes, measured }) => {
    const ratio = timeOf(measured, '256 tokens') / timeOf(whole, '256 tokens');
    return `${passes} passes take ${ratio.toFixed(2)} times as long as 256 tokens one by one`;
  });
  return `Of the same size, ${texts.join(', ')}: a pass computes all 256 tokens, so that a processor's operations bound it, and not the bytes of its weights.`;
}

/** The tables of what was measured in a browser. */
function browserSection({ network, chromium, models, encoders, training }) {
  const failed = (error, cells) => [error, ...Array(cells - 1).fill('')];
  const modelLines = models.map(({ model, engine, empty, filled, node, error }) => {
    const { token_ms, generate_ms, first_image_ms } = node ?? empty ?? {};
    const cells = error
      ? failed(error, 7)
      : [
          empty ? seconds(first_image_ms) : '',
          empty ? `${(empty.bytes / 1e6).toFixed(1)} MB` : '',
          seconds(node ? first_image_ms : filled.first_image_ms),
          generate_ms.length > 0 ? seconds(median(generate_ms)) : '',
          milliseconds(token_ms),
          empty ? milliseconds(empty.longest_frame_ms) : '',
          empty ? gigabytes(Math.max(empty.peak_rss_mb, filled.peak_rss_mb) / 1000) : '',
        ];
    return `| ${[model === 'mini' ? 'Mini, q8' : model, engine, ...cells].join(' | ')} |`;
  });
  const encoderLines = encoders.map(({ library, threads, batch, open_ms, ms, error }) => {
    const cells = error ? failed(error, 2) : [seconds(open_ms), milliseconds(median(ms))];
    return `| ${[library, threads, batch, ...cells].join(' | ')} |`;
  });
  const names = { mlp: 'two layers', block: 'transformer block' };
  const trainingLines = training.map(({ library, model, device, threads, ms, losses, error }) => {
    const cells = error
      ? failed(error, 3)
      : [milliseconds(median(ms.slice(1))), (1000 / median(ms.slice(1))).toFixed(1), losses[2].toFixed(4)];
    return `| ${[names[model], library, device, threads, ...cells].join(' | ')} |`;
  });
  return `One image with the default guidance, in headless Chromium ${chromium} on the same machine, next to Node.js. *First image* is from opening the page to the
image: with an empty storage of the browser, where the test server sends ${network} Mbit/s to all connections together, 20 ms after each request, and compresses
what websites compress; and with a filled one. Mini has random weights, and no limit of the network. In Node.js it is from loading the model. WebGPU is
emulated by the processor (SwiftShader). *Longest frame* is the longest time without a frame of the page.

| model | engine | first image, empty | download | first image, filled | an image | a token | longest frame | peak memory |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${modelLines.join('\n')}

A text encoder of the bundled model's size (BERT, 6 layers of width 384, random weights, float32), next to transformers.js, with WebAssembly: captions padded to 16 tokens,
from the files to the first hidden states, and each call after that. The largest difference of a hidden state from those of the first row is ${Math.max(...encoders.map(({ difference = 0 }) => difference))}.

| library | threads | captions at once | open | encode |
| --- | ---: | ---: | ---: | ---: |
${encoderLines.join('\n')}

Steps of Adam, in float32, next to jax-js, from the same initial values and on the same batch: two layers (784 → 512 → 10, batch 128), and a causal transformer block (width 256, 4 heads,
8 sequences of 64).

| model | library | device | threads | a step | steps/s | loss of the third step |
| --- | --- | --- | ---: | ---: | ---: | ---: |
${trainingLines.join('\n')}`;
}

const runLines = Object.entries(commands).map(([name, command]) => {
  const { date = '', about, machine: whole, results: groups } = results[name] ?? {};
  const machine = whole ?? groups?.[0]?.machine;
  const where = about ? `${about.cores} cores of ${about.processor}, Node.js ${about.node}` : 'not measured';
  const most = machine ? rates(machine) : '';
  return `| \`npm run -w benchmarks ${command} --out benchmarks/results/${name}.json\` | ${date.slice(0, 10)} | ${where} | ${most} |`;
});

const page = `# Performance

Measurements, compared with targets and with other programs (peers). The models have random weights and the sizes of the published models. Peers ran on
the same machine in the same run, in float32 and with the same number of threads. The machine of the first tables is two cores of an AMD EPYC with AVX-512.
The page is made from the last measurements, in \`benchmarks/results\`: compare ratios, since absolute figures belong to their machine.

The roofline is the least time that the machine can take: for the bytes of the weights that a token is multiplied with, at the rate of
products of a vector and a large matrix, or for the float32 operations, at the rate of products of large matrices, whichever takes longer.
A ratio is how many times faster it is here; for memory, the share of the peer's memory that it takes.

${targetColumns}
${targetLines.join('\n')}

## Stages

The stages of generating images with guidance, with the roofline of each stage in parentheses. *Encode text* includes the time of the tokenizer,
and the first token includes the caption's keys and values. *Its products alone* are the products of a token with the weights, one after the other in a
graph of nothing else: the least time that ONNX Runtime takes for a token. Decoding pixels takes less than its roofline, since some convolutions are
computed with fewer operations than their definition has. A machine's rates are measured once, minutes before or after the stages, so a stage may seem
faster than its roofline.

| | images | tokenize | encode text | keys and values | a token | its products alone | decode pixels | PNG | peak memory |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${stageLines.join('\n')}

## Other decoders

256 tokens of one image with guidance, without text encoder and pixels: LlamaGen's decoder of classes, minDALL-E (without guidance, as published) and aMUSEd's, compared with their published code in PyTorch and
with diffusers, and decoders of DALL·E Mini's size that generate tokens one by one and in passes, all in float32 unless a dtype is given. ${maskedText()}

| | steps | 256 tokens | a step | times faster | peak memory |
| --- | ---: | ---: | ---: | ---: | ---: |
${[...sequencesLines, ...maskedLines].join('\n') || '| not measured |'}

${machineSections.join('\n')}
## Not reached, and why

- **Memory of Mini compared with min-dalle's**: about 0.80 GB of it are mapped from files, and the system can take them back. The weights alone
  take 0.74 GB (text encoder 0.18, decoder 0.32, VQ-GAN 0.24, whose convolutions stay in float32), Node.js and ONNX
  Runtime 0.13 GB: together that is 0.35 times min-dalle's. The rest is working memory of convolutions of 256 × 256 pixels,
  0.15 GB, and keys and values.
- **A token with 8-bit weights, without AVX-512**: its products with weights alone took 17 of 21 ms. The rest are 420 small operations, for which ONNX Runtime takes about 10 µs each whatever the weights' bits, and reading
  keys and values. Three things were tried and were not measurably faster: joined matrices of queries, keys, values and gate, sums joined with the norms after
  them, and attention to the caption as one operation.
- **Mini compared with min-dalle, on an Intel Xeon**: PyTorch takes 82 ms for a token there, and 234 and 272 ms on the AMD machines, since MKL seems to keep its fast kernels for Intel's processors.
- **Nine pictures**: ${aloneText(9, 'fp32')}, ${divide(alone(9, 'fp32'), tokenRoofline(results, 9, 'fp32'))?.toFixed(2) ?? ''} times the roofline, which is for large square matrices. Eighteen sequences are few rows: the library's kernels
  take six at a time, and do not compute while they read the weights for the first six. A token also reads the keys and values of nine images, 0.23 GB
  on average.
- **minDALL-E in float32, twice as fast as its PyTorch code**: one run measured 2.06 times, the last one less. A token reads 4.8 GB of weights, which is 16.5 GB/s in that run: the
  time is that of the memory. With 8-bit weights it is twice as fast by far.

## Starting

With q8, Node.js takes 0.1 s to start, the modules take 0.1 s, the threads 0.2 s (they load ONNX Runtime while the graphs are built), and opening
the decoder 0.5 s, during which the text encoder opens and reads the prompts. ONNX Runtime packs matrices again when it opens a compiled model, to find them
among the packed ones by their hash, which is two thirds of that time. The first process that opens a converted model compiles it, once: with Mega its memory peaked at
5.0 GB in q8 and 3.7 GB in q4.

The first load converts the published files. Times count from the start of the process, memory is the largest until the model is loaded, mapped
files included. The decoder opens in the background at the same time as the text encoder, and its memory counts as far as it is there.
${bundledLoad}

| | first load | its memory | load | its memory | first token |
| --- | ---: | ---: | ---: | ---: | ---: |
${startLines.join('\n') || '| not measured |'}

## In browsers

${results.browser ? browserSection(results.browser) : 'Not measured.'}

## What fewer bits lose

The bundled model compared with itself in float32, on ${losses ? `the ${losses.positions} tokens that it generated for ${losses.prompts} prompts` : 'tokens that it generated'}: the divergence of the next token's distribution
(Kullback-Leibler, nats a token), how often the likeliest token is the same, both also with guidance; the least cosine between hidden states of
the text; the pixels. Its weights were published in 16 bits, so \`fp16\` loses nothing, and its text encoder
stays as it is. With \`q8\` most products round the other operand with one scale for all of it. Here that is all tokens of an image, and a single
token when an image is generated, so generating loses less than this table shows.

| dtype | decoder | divergence | same token | divergence, guided | same token, guided | text | pixels |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${lossLines.join('\n') || '| not measured |'}

## Measuring again

\`PYTHON\` has PyTorch, transformers and diffusers, and for browsers onnx and onnxscript. \`CLONE\` is min-dalle's repository, \`LLAMAGEN\` that of LlamaGen, \`MIN_DALLE_E\` that of minDALL-E, \`MODELS\` a folder for models with random weights,
and \`PEERS\` a folder whose \`node_modules\` has \`@huggingface/transformers\` and \`@jax-js/jax\`. Then
\`node scripts/performance.mjs\` writes this page.

| command | last run | on | at most |
| --- | --- | --- | --- |
${runLines.join('\n')}
`;

const path = 'docs/performance.md';
if (process.argv.includes('--check')) {
  const isCurrent = (await readFile(path, 'utf8').catch(() => '')) === page;
  if (!isCurrent) console.error(`${path} must agree with benchmarks/results. Run node scripts/performance.mjs.`);
  process.exitCode = isCurrent ? 0 : 1;
} else {
  await writeFile(path, page);
}
