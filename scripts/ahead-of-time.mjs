/**
 * Writes docs/ahead-of-time.md from benchmarks/results/ahead-of-time.json: `node scripts/ahead-of-time.mjs`. With `--check` it writes
 * nothing, and fails unless the page is what it would write.
 */
import { readFile, writeFile } from 'node:fs/promises';

const { date, about, results } = JSON.parse(await readFile('benchmarks/results/ahead-of-time.json', 'utf8'));

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
const shardings = { replicated: 'replicated', fsdp: 'FSDP', rules: '8-way model parallel' };

const nameOf = ({ model, generating }) => (generating ? `${model}, ${generating}` : model);

function line(row) {
  const { target, sharding, generating, batch, parameters, seconds, memory, collectives, error } = row;
  const what = [nameOf(row), target, ...(generating ? [] : [shardings[sharding], batch])];
  const empty = Array(generating ? 4 : 5).fill('');
  if (error !== undefined)
    return `| ${[...what, ...empty, ...(generating ? [] : ['refused, see below'])].join(' | ')} |`;
  const { arguments: given, outputs, aliased, temporary } = memory;
  const sent = Object.entries(collectives ?? {})
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
  const cells = [
    `${(parameters / 1e6).toFixed(0)} M`,
    `${seconds.toFixed(0)} s`,
    gigabytes(given),
    gigabytes(temporary),
    gigabytes(given + outputs - aliased + temporary),
    ...(generating ? [] : [collectives ? sent || 'none' : 'not told']),
  ];
  return `| ${[...what, ...cells].join(' | ')} |`;
}

const refused = results.filter(({ error }) => error !== undefined);
const refusals = refused.map(
  (row) =>
    `- ${nameOf(row)} on ${row.target}, ${shardings[row.sharding]}: \`${row.error.replaceAll('`', "'").replace(/\s+/g, ' ').slice(0, 400)}\``,
);

const generatedLines = results.filter(({ generating }) => generating).map(line);
const generating = `
## Generating

The graph that generates a row of 16 tokens of one image, with guidance, with DALL·E Mini's decoder. Quantized matrices are arguments of the program as they
are stored, and are decoded where they are multiplied, inside of the loop over the tokens. If the compiler decoded all of them at once, *temporary* would have
the size of the decoder in float32.

| decoder | device | parameters | compiled in | arguments | temporary | together |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
${generatedLines.join('\n')}
`;

const page = `# Compiled ahead of time

Training steps that were compiled for TPUs and GPUs on a computer without them, with the plugins of XLA and \`XlaTopology\` of
[\`@dalle-mini/xla\`](../packages/xla). It shows that the graphs compile for these devices and fit into their memory. It does not show that they run
fast, or at all: none of these programs has been run.

The step is that of the trainers: forward and backward pass, products in bfloat16, parameters in float32, and the optimizer, which updates the state in its
memory. The decoders are trained together with their text encoders, with Adafactor; layers are computed again in the backward pass to save memory. The
VQ-GAN is trained against its discriminator, with AdamW. The batch is that of one step on all devices, divided among them. *Replicated* parameters and
their optimizer's state are whole on each device, *FSDP* divides them over all devices, and *model parallel* divides them by the rules of the published code.

Memory is that of one device: *state* has the parameters, the optimizer's state and the batch, and *temporary* everything else. A TPU v3 or v4 has
16 GB for each of its two devices, a v5e 16 GB, an H100 80 GB. Collectives are the instructions that send data between devices, each counted once, also in
loops. The times are those of ${about.cores} cores of ${about.processor}, which did other work too (${date.slice(0, 10)}).

| training | devices | parameters are | batch | parameters | compiled in | state | temporary | together | collectives |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
${results
  .filter(({ generating }) => !generating)
  .map(line)
  .join('\n')}
${generatedLines.length > 0 ? generating : ''}${refusals.length > 0 ? `\n## Refused\n\nWith the plugin's own words:\n\n${refusals.join('\n')}\n` : ''}
## Compile again

\`\`\`sh
npx @dalle-mini/cli accelerator install tpu
npx @dalle-mini/cli accelerator install cuda12
npm run build
npm run -w benchmarks ahead-of-time -- --out benchmarks/results/ahead-of-time.json
node scripts/ahead-of-time.mjs
\`\`\`

All rows are in [\`benchmarks/src/compilations.ts\`](../benchmarks/src/compilations.ts). Rows that the file of
results has are not compiled again, unless they were refused.
`;

const path = 'docs/ahead-of-time.md';
if (process.argv.includes('--check')) {
  const isCurrent = (await readFile(path, 'utf8').catch(() => '')) === page;
  if (!isCurrent)
    console.error(`${path} must agree with benchmarks/results/ahead-of-time.json. Run node scripts/ahead-of-time.mjs.`);
  process.exitCode = isCurrent ? 0 : 1;
} else {
  await writeFile(path, page);
}
