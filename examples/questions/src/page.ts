/**
 * Writes the page of the study, `docs/questions.md` with its plots, from the cells that have run: `npm run page -- FOLDER`. What did not run,
 * and what the intervals do not tell apart, the page says.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CellResult, readResult } from './cell.js';
import { generated, model, pathOf, type Question, questions, seeds, steps, training, unanswered } from './grid.js';
import { plot } from './plot.js';
import { type Estimate, estimate } from './statistics.js';

const runs = resolve(process.argv[2] ?? 'runs/questions');
const docs = fileURLToPath(new URL('../../../docs', import.meta.url));

interface Row {
  readonly name: string;
  readonly results: ReadonlyMap<number, CellResult>;
}

async function rowsOf(question: Question): Promise<Row[]> {
  return Promise.all(
    question.variants.map(async (variant) => {
      const found = await Promise.all(
        seeds.map(async (seed) => [seed, await readResult(join(runs, pathOf(question, variant, seed)))] as const),
      );
      return {
        name: variant.name,
        results: new Map(found.flatMap(([seed, result]) => (result ? [[seed, result] as const] : []))),
      };
    }),
  );
}

const valuesOf = ({ results }: Row, figure: keyof CellResult): number[] =>
  [...results.values()].map((result) => result[figure]);

const percent = (share: number, digits = 0) => `${(100 * share).toFixed(digits)} %`;
const withInterval = ({ mean, half }: Estimate, text: (value: number) => string) =>
  Number.isFinite(half) ? `${text(mean)} ± ${text(half)}` : text(mean);

/** The first sentence of an answer: what the differences of runs with the same seed tell. */
function answer({ decides }: Question, rows: readonly Row[]): string {
  const measured = rows.filter(({ results }) => results.size > 0);
  if (measured.length < 2) return 'This is not settled: its cells have not run.';
  const sign = decides === 'loss' ? 1 : -1;
  const mean = (row: Row) => sign * estimate(valuesOf(row, decides)).mean;
  const [best, ...others] = measured.toSorted((a, b) => mean(a) - mean(b));
  const measure = decides === 'loss' ? 'held-out loss' : 'top-1';
  const isBehind = (other: Row) => {
    const common = [...best!.results.keys()].filter((seed) => other.results.has(seed));
    const gaps = common.map((seed) => sign * (other.results.get(seed)![decides] - best!.results.get(seed)![decides]));
    const { mean, half } = estimate(gaps);
    return mean - half > 0;
  };
  const behind = others.filter(isBehind).map(({ name }) => name);
  const open = others.filter((other) => !isBehind(other)).map(({ name }) => name);
  if (open.length === 0)
    return `**${best!.name}** has the best ${measure}, with each seed's difference to the others beyond chance.`;
  const alike = `${best!.name} has the best mean ${measure}, but ${list(open)} cannot be told from it`;
  return behind.length === 0
    ? `This is not settled: ${alike}.`
    : `This is settled in part: ${alike}; ${list(behind)} is worse.`;
}

const list = (names: readonly string[]) =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

async function section(question: Question): Promise<string> {
  const rows = await rowsOf(question);
  const missing = rows.flatMap(({ name, results }) =>
    results.size < seeds.length ? [`${name} (${results.size} of ${seeds.length})`] : [],
  );
  const table = rows
    .filter(({ results }) => results.size > 0)
    .map((row) => {
      const of = (figure: keyof CellResult) => estimate(valuesOf(row, figure));
      const cells = [
        row.name,
        withInterval(of('loss'), (value) => value.toFixed(3)),
        withInterval(of('top1'), percent),
        withInterval(of('top5'), percent),
        of('seconds').mean.toFixed(0),
        `${row.results.size}`,
      ];
      return `| ${cells.join(' | ')} |`;
    });
  const lines = [`## ${question.question}`, answer(question, rows), `Published: ${question.published}`];
  if (table.length > 0) {
    const { id, decides } = question;
    const bars = rows.flatMap((row) => {
      const values = valuesOf(row, decides);
      return values.length > 0 ? [{ name: row.name, values, ...estimate(values) }] : [];
    });
    await writeFile(join(docs, 'questions', `${id}.svg`), plot(decides === 'loss' ? 'held-out loss' : 'top-1', bars));
    lines.push(
      `![${question.question}](questions/${id}.svg)`,
      [
        '| variant | held-out loss | top-1 | top-5 | seconds | seeds |',
        '| --- | --- | --- | --- | --- | --- |',
        ...table,
      ].join('\n'),
    );
  }
  if (missing.length > 0) lines.push(`Not complete: ${missing.join(', ')}.`);
  return lines.join('\n\n');
}

await mkdir(join(docs, 'questions'), { recursive: true });
const sections: string[] = [];
for (const question of questions) sections.push(await section(question));
const page = `# Open questions

Small experiments on questions that the published models leave open. Each variant changes one thing in the same recipe: the VQ-GAN and the images of
the bundled model (food, plants and animals of seven emoji sets), a decoder of width ${model.width} with ${model.layers} layers, ${steps} steps of
${training.batchSize} images, at a learning rate of ${training.learningRate}. A variant runs with ${seeds.length} seeds. Intervals are of 95 %; a
variant counts as worse if the interval of its differences to the best, seed by seed, is above zero.

**Held-out loss** is the cross entropy of tokens of drawings that training did not have, in nats. **Top-1** and **top-5** tell how often the real image
nearest to one of ${generated} generated images, or one of the five nearest, shows what the caption says. **Seconds** are of training with one thread
on a computer that did other work: they compare roughly.

These models are tiny and see few images. An answer holds for this size, and is a hint for larger ones.

\`npm run study -w examples/questions -- runs/questions\` runs the cells that have no result, \`--question optimizer --variant Muon --seed 2\` one of them, and
\`npm run page -w examples/questions -- runs/questions\` writes this page.

${sections.join('\n\n')}

## Not measured yet

The program does not train these models yet:

${unanswered.map(({ question, published }) => `- ${question} Published: ${published}`).join('\n')}
- Three different pretrained encoders: only all-MiniLM-L6-v2 was found in a registry. The sizes above are its first layers.
- Optimizers at equal seconds: seconds were not measured on a quiet computer.
`;
await writeFile(join(docs, 'questions.md'), page);
