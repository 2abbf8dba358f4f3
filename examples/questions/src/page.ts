/**
 * Writes the page of the study, `docs/questions.md` with its plots, from the results: `npm run page`. What did not run, and what the intervals
 * do not tell apart, the page says.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CellResult, type GenerationResult, readResult } from './cell.js';
import {
  concepts,
  type Measure,
  model,
  type Question,
  questions,
  type Run,
  runs,
  sampling,
  seeds,
  steps,
  training,
  type Variant,
  vqganSteps,
} from './grid.js';
import { plot } from './plot.js';
import { resultPath, resultsFolder } from './results.js';
import { type Estimate, estimate } from './statistics.js';

const docs = fileURLToPath(new URL('../../../docs', import.meta.url));

/** A variant with the results of its seeds. */
interface Row {
  readonly variant: Variant;
  readonly results: ReadonlyMap<number, CellResult>;
}

async function rowsOf({ variants }: Question): Promise<Row[]> {
  return Promise.all(
    variants.map(async (variant) => {
      const found = await Promise.all(
        seeds.map(async (seed) => [seed, await readResult(resultPath(resultsFolder, variant.run, seed))] as const),
      );
      return {
        variant,
        results: new Map(found.flatMap(([seed, result]) => (result ? [[seed, result] as const] : []))),
      };
    }),
  );
}

/** What a variant has generated: with its way of generating, or with the first of its run. */
function generationOf({ run, generation }: Variant, { generations }: CellResult): GenerationResult {
  const [first = 'default'] = Object.keys((runs[run] as Run).generations ?? {});
  return generations[generation ?? first]!;
}

const trainingSeconds = ({ secondsPerStep, steps }: CellResult) => secondsPerStep * steps;

/** The loss after some seconds of training, between two points of the curve. */
function lossAt({ curve, secondsPerStep }: CellResult, seconds: number): number {
  const step = seconds / secondsPerStep;
  const after = curve.findIndex((point) => point.step >= step);
  if (after < 0) return curve.at(-1)!.loss;
  if (after === 0) return curve[0]!.loss;
  const [low, high] = [curve[after - 1]!, curve[after]!];
  return low.loss + ((step - low.step) / (high.step - low.step)) * (high.loss - low.loss);
}

/** Returns the measure of a variant and a seed. */
function reader(measure: Measure, rows: readonly Row[]): (row: Row, seed: number) => number {
  const of = ({ results }: Row, seed: number) => results.get(seed)!;
  const fastest = (seed: number) =>
    Math.min(...rows.filter(({ results }) => results.has(seed)).map((row) => trainingSeconds(of(row, seed))));
  switch (measure) {
    case 'loss':
      return (row, seed) => of(row, seed).loss;
    case 'lossInTime':
      return (row, seed) => lossAt(of(row, seed), fastest(seed));
    case 'top5':
      return (row, seed) => generationOf(row.variant, of(row, seed)).top5;
  }
}

const measureNames: Readonly<Record<Measure, string>> = {
  loss: 'held-out loss',
  lossInTime: 'held-out loss in equal time',
  top5: 'top-5',
};

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const nats = (value: number) => value.toFixed(3);
const withInterval = ({ mean, half }: Estimate, text: (value: number) => string) =>
  Number.isFinite(half) ? `${text(mean)} ± ${text(half)}` : text(mean);
const list = (names: readonly string[]) =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** The first sentence of an answer: what the differences of runs with the same seed tell. */
function answer({ decides }: Question, rows: readonly Row[]): string {
  const measured = rows.filter(({ results }) => results.size > 0);
  if (measured.length < 2) return 'This is not settled: its cells have not run.';
  const read = reader(decides, rows);
  const sign = decides === 'top5' ? -1 : 1;
  const mean = (row: Row) => sign * estimate([...row.results.keys()].map((seed) => read(row, seed))).mean;
  const [best, ...others] = measured.toSorted((a, b) => mean(a) - mean(b));
  const measure = measureNames[decides];
  const isBehind = (other: Row) => {
    const common = [...best!.results.keys()].filter((seed) => other.results.has(seed));
    const { mean, half } = estimate(common.map((seed) => sign * (read(other, seed) - read(best!, seed))));
    return mean - half > 0;
  };
  const nameOf = ({ variant }: Row) => variant.name;
  const behind = others.filter(isBehind).map(nameOf);
  const open = others.filter((other) => !isBehind(other)).map(nameOf);
  const name = nameOf(best!);
  if (open.length === 0)
    return `**${name}** has the best ${measure}, and the difference to each other variant is larger than chance explains.`;
  if (measured.every(({ results }) => results.size < 2))
    return `This is not settled: with one seed, ${name} has the best ${measure}, and there is no interval.`;
  const alike = `${name} has the best mean ${measure}, but ${list(open)} cannot be told from it`;
  return behind.length === 0
    ? `This is not settled: ${alike}.`
    : `This is settled in part: ${list(behind)} ${behind.length === 1 ? 'is' : 'are'} worse than ${name}; ${list(open)} cannot be told from it.`;
}

function table({ decides }: Question, rows: readonly Row[]): string {
  const inTime = reader('lossInTime', rows);
  const lines = rows
    .filter(({ results }) => results.size > 0)
    .map((row) => {
      const of = (value: (result: CellResult) => number) => estimate([...row.results.values()].map(value));
      const generation = (result: CellResult) => generationOf(row.variant, result);
      return [
        row.variant.name,
        withInterval(
          of(({ loss }) => loss),
          nats,
        ),
        ...(decides === 'lossInTime'
          ? [withInterval(estimate([...row.results.keys()].map((seed) => inTime(row, seed))), nats)]
          : []),
        withInterval(
          of((result) => generation(result).top1),
          percent,
        ),
        withInterval(
          of((result) => generation(result).top5),
          percent,
        ),
        of(trainingSeconds).mean.toFixed(0),
        (1000 * of((result) => generation(result).seconds).mean).toFixed(0),
        `${row.results.size}`,
      ];
    });
  const inTimeTitle = decides === 'lossInTime' ? ['in equal time'] : [];
  const titles = ['variant', 'held-out loss', ...inTimeTitle, 'top-1', 'top-5', 'training, s', 'an image, ms', 'seeds'];
  return [titles, titles.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

async function section(question: Question): Promise<string> {
  const rows = await rowsOf(question);
  const { id, decides, published, caution } = question;
  const lines = [`## ${question.question}`, answer(question, rows), `Published: ${published}`];
  if (caution) lines.push(caution);
  if (rows.some(({ results }) => results.size > 0)) {
    const read = reader(decides, rows);
    const bars = rows.flatMap((row) => {
      const values = [...row.results.keys()].map((seed) => read(row, seed));
      return values.length > 0 ? [{ name: row.variant.name, values, ...estimate(values) }] : [];
    });
    if (bars.length > 1) {
      await writeFile(join(docs, 'questions', `${id}.svg`), plot(measureNames[decides], bars));
      lines.push(`![${question.question}](questions/${id}.svg)`);
    }
    lines.push(table(question, rows));
  }
  const missing = rows.flatMap(({ variant, results }) =>
    results.size < seeds.length ? [`${variant.name} (${results.size} of ${seeds.length})`] : [],
  );
  if (missing.length > 0) lines.push(`Not complete: ${missing.join(', ')}.`);
  return lines.join('\n\n');
}

await mkdir(join(docs, 'questions'), { recursive: true });
const sections: string[] = [];
for (const question of questions) sections.push(await section(question));
const page = `# Open questions

Small experiments on questions that the published models leave open. Each variant changes one thing in the same recipe: the VQ-GAN and images of
the bundled model (${concepts.length} concepts of food, plants and animals in seven emoji sets), a decoder of width ${model.width} with ${model.layers} layers, ${steps} steps of
${training.batchSize} images, at a learning rate of ${training.learningRate}. A variant runs with ${seeds.length} seeds. Intervals are of 95 %; a
variant counts as worse if the interval of its differences to the best, seed by seed, is above zero.

**Held-out loss** is the cross entropy of tokens of drawings that training did not have, in nats. **Top-1** and **top-5** tell how often the real image
nearest to a generated one, or one of the five nearest, shows what the caption says: one image is generated for each concept, with guidance
${sampling.guidanceScale} and temperature ${sampling.temperature}. By chance that would be about ${percent(1 / concepts.length)} and ${percent(1 - (1 - 1 / concepts.length) ** 5)}. **Seconds** are of processor time, with one thread; those of an
image include the VQ-GAN. A VQ-GAN is fine-tuned for ${vqganSteps} steps of 8 images.

These models are tiny and see few images. An answer holds for this size, and is a hint for larger ones.

\`npm run study -w examples/questions\` runs the cells that have no result in \`examples/questions/results\`, \`--run muon --seed 2\` one of them, and
\`npm run page -w examples/questions\` writes this page. Three of the text encoders are in Python packages: \`examples/questions/encoders.py\` fetches them.

${sections.join('\n\n')}
`;
await writeFile(join(docs, 'questions.md'), page);
