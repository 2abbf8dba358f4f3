/** A report of training runs as a page of HTML without a network: curves, sheets of images, settings. */
import { OptionError } from '@dalle-mini/core';
import { type Chart, drawChart, formatValue, Html, html, reportPage, series } from '@dalle-mini/core/report';
import { flatten } from '../run/settings.js';
import { type Run, readRuns, type Sheet } from './read-run.js';

/** The metrics whose charts come first, in this order, with what they are. */
const known: readonly (readonly [metrics: readonly string[], title: string, description: string])[] = [
  [['loss', 'evaluationLoss'], 'Loss', 'solid: training, dashed: evaluation'],
  [['evaluationPsnr'], 'Reconstruction', 'peak signal-to-noise ratio of held-out images, dB'],
  [['evaluationLpips'], 'Looks', 'LPIPS distance of held-out images from their reconstructions'],
  [['evaluationCodesUsed'], 'Codes in use', 'share of the codebook that held-out images use'],
  [['learningRate'], 'Learning rate', 'by step'],
  [['stepsPerSecond'], 'Speed', 'steps per second, without evaluations'],
];

/** Metrics of small positive numbers, for which a logarithmic axis would hide the schedule or the change. */
const linear = new Set(['learningRate', 'stepsPerSecond', 'evaluationPsnr', 'evaluationLpips', 'evaluationCodesUsed']);

/**
 * Makes a report of training runs: a page of HTML in one file, which needs no network. It has the curves of all metrics
 * and of the speed, the sheets of images by step, the settings, the machine and the times. Several runs are compared.
 *
 * @param folders The folders of the runs, at least one.
 * @returns The HTML.
 * @throws OptionError if a folder is not that of a run; FileError if a file cannot be read.
 *
 * @example
 * ```ts no-run
 * import { writeFile } from 'node:fs/promises';
 * import { runReport } from '@dalle-mini/train';
 *
 * await writeFile('report.html', await runReport(['runs/first', 'runs/second']));
 * ```
 */
export async function runReport(folders: readonly string[]): Promise<string> {
  if (!Array.isArray(folders) || folders.length === 0 || folders.some((folder) => typeof folder !== 'string'))
    throw new OptionError('folders', 'a list of at least one folder', folders);
  const runs = await readRuns(folders);
  const names = runs.map(({ name }) => name);
  const title = names.join(', ');
  const content = html`<h1>${title}</h1>
<div class="scroll">${overview(runs)}</div>
<h2>Curves</h2>
<div class="charts">${chartsOf(runs).map((chart) => drawChart(chart, names))}</div>
${runs.some(({ sheets }) => sheets.length > 0) ? html`<h2>Images</h2>${runs.map((run) => sheetsOf(run, runs.length > 1))}` : ''}
<h2>Settings</h2>
${runs.length > 1 ? differencesOf(runs) : ''}
${runs.map(
  ({ name, settings }) => html`<details${runs.length === 1 ? html` open` : ''}><summary>${name}</summary>
<pre>${settings === undefined ? 'This run has no run-log.jsonl.' : JSON.stringify(settings, null, 2)}</pre></details>`,
)}
`;
  return reportPage(`Training: ${title}`, content);
}

/** A table with a column for each run. */
function overview(runs: readonly Run[]): Html {
  const rows: readonly (readonly [string, (run: Run) => string | undefined])[] = [
    ['Steps', stepsOf],
    ['Loss', ({ records }) => lastOf(records, 'loss')],
    ['Evaluation', evaluationOf],
    ['Started', ({ starts }) => starts[0] && timeOf(starts[0].time)],
    [
      'Resumed',
      ({ starts }) =>
        starts.length > 1 ? `${starts.length - 1} times, at step ${stepsList(starts.slice(1))}` : undefined,
    ],
    ['Time of all steps', ({ seconds }) => (seconds > 0 ? durationOf(seconds) : undefined)],
    [
      'Training samples',
      ({ settings }) => (settings?.data as { length?: number } | undefined)?.length?.toLocaleString('en'),
    ],
    [
      'Machine',
      ({ machine }) =>
        machine &&
        `${machine.processor}, ${machine.cores} cores, ${Math.round(machine.memory / 2 ** 30)} GiB, ${machine.system}, Node.js ${machine.node}`,
    ],
  ];
  const shown = rows.filter(([, cell]) => runs.some((run) => cell(run) !== undefined));
  return html`<table>
${runs.length > 1 ? html`<thead><tr><th></th>${runs.map(({ name }, i) => html`<th class="key run${i % 8}"><span>${name}</span></th>`)}</tr></thead>` : ''}
<tbody>${shown.map(([name, cell]) => html`<tr><th>${name}</th>${runs.map((run) => html`<td>${cell(run) ?? '–'}</td>`)}</tr>`)}</tbody>
</table>`;
}

const stepsList = (starts: Run['starts']) => starts.map(({ step }) => step.toLocaleString('en')).join(', ');

function stepsOf({ records, settings }: Run): string {
  const done = (records.at(-1)?.step ?? 0).toLocaleString('en');
  return typeof settings?.steps === 'number' ? `${done} of ${settings.steps.toLocaleString('en')}` : done;
}

function lastOf(records: Run['records'], metric: string): string | undefined {
  const value = records.findLast((record) => metric in record)?.[metric];
  return value === undefined ? undefined : formatValue(value);
}

/** The metrics by which runs choose the best evaluation: of those that it has, the first. */
const scores = [
  { metric: 'evaluationLoss', unit: 'nats a token', sign: 1 },
  { metric: 'evaluationLpips', unit: 'LPIPS', sign: 1 },
  { metric: 'evaluationPsnr', unit: 'dB', sign: -1 },
] as const;

/** The figures of the last evaluation, and where the best one was. */
function evaluationOf({ records }: Run): string | undefined {
  const evaluations = records.filter((record) => scores.some(({ metric }) => metric in record));
  const last = evaluations.at(-1);
  if (last === undefined) return undefined;
  const { metric, unit, sign } = scores.find(({ metric }) => metric in last)!;
  const best = evaluations.reduce((a, b) => (sign * b[metric]! < sign * a[metric]! ? b : a));
  return `${formatValue(last[metric]!)} ${unit}; best ${formatValue(best[metric]!)} at step ${best.step.toLocaleString('en')}`;
}

const timeOf = (time: string) => `${time.slice(0, 16).replace('T', ' ')} UTC`;

function durationOf(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  return s < 3600
    ? `${Math.floor(s / 60)} min ${s % 60} s`
    : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

function chartsOf(runs: readonly Run[]): Chart[] {
  const metrics = new Set(runs.flatMap(({ records }) => records.slice(-1).flatMap((record) => Object.keys(record))));
  for (const { records } of runs) for (const record of records) for (const name in record) metrics.add(name);
  if (runs.some(({ speeds }) => speeds.length > 0)) metrics.add('stepsPerSecond');
  metrics.delete('step');
  const listed = new Set(known.flatMap(([names]) => names));
  const others = [...metrics].filter((name) => !listed.has(name)).map((name) => [[name], name, 'by step'] as const);
  return [...known, ...others].flatMap(([names, title, description]) => {
    const curves = names.flatMap((name) =>
      runs.map((run, i) => series(name, i, name === 'stepsPerSecond' ? run.speeds : valuesOf(run, name))),
    );
    const drawn = curves.filter(({ points }) => points.length > 0);
    const text = names.length > 1 && !drawn.some(({ metric }) => metric === names[1]) ? 'of training' : description;
    return drawn.length === 0 ? [] : [{ title, description: text, series: drawn, mayBeLog: !linear.has(names[0]!) }];
  });
}

function valuesOf({ records }: Run, metric: string): [step: number, value: number][] {
  return records.flatMap(({ step, [metric]: value }): [number, number][] =>
    value === undefined ? [] : [[step, value]],
  );
}

function sheetsOf({ name, sheets, sheetCount, samplePrompts }: Run, isNamed: boolean): Html {
  if (sheets.length === 0) return html``;
  const some = sheetCount > sheets.length ? html`<p>${sheets.length} of ${sheetCount} sheets.</p>` : '';
  const prompts =
    samplePrompts.length > 0
      ? html`<p>Prompts, row by row:</p><ol>${samplePrompts.map((prompt) => html`<li>${prompt}</li>`)}</ol>`
      : '';
  return html`${isNamed ? html`<h3>${name}</h3>` : ''}${prompts}${some}
<div class="sheets">${sheets.map(sheetFigure)}</div>`;
}

function sheetFigure({ kind, step, png }: Sheet): Html {
  // The IHDR chunk, the first one, has the width. Small images are enlarged.
  const width = png.length > 20 ? png.readUInt32BE(16) : 0;
  const shown = width * Math.max(1, Math.min(4, Math.floor(360 / Math.max(width, 1))));
  const source = new Html(`data:image/png;base64,${png.toString('base64')}`);
  return html`<figure><img width="${shown}" alt="${kind} at step ${step}" src="${source}"><figcaption>${kind} at step ${step.toLocaleString('en')}</figcaption></figure>`;
}

/** A table of the settings that are not the same in all runs. */
function differencesOf(runs: readonly Run[]): Html {
  const settings = runs.map((run) => flatten(run.settings ?? {}));
  const names = [...new Set(settings.flatMap((values) => [...values.keys()]))];
  const different = names.filter((name) => new Set(settings.map((values) => values.get(name))).size > 1);
  if (different.length === 0) return html`<p>All runs have the same settings.</p>`;
  return html`<div class="scroll"><table>
<thead><tr><th></th>${runs.map(({ name }) => html`<th>${name}</th>`)}</tr></thead>
<tbody>${different.map((name) => html`<tr><th>${name}</th>${settings.map((values) => html`<td>${values.get(name) ?? '–'}</td>`)}</tr>`)}</tbody>
</table></div>`;
}
