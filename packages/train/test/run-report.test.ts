import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { readLastEvaluation, readMetrics, runReport } from '@dalle-mini/train';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decoderTrainer, grayTokenizer } from './tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const hostile = '</script><img src=x onerror="alert(1)">';
let root: string;
let trained: string;

beforeAll(async () => {
  root = await temporaryFolder();
  trained = join(root, 'a <b>run</b>'.replace('/', '∕'));
  const samples = { prompts: ['red circle', hostile], imageTokenizer: grayTokenizer };
  await decoderTrainer(runtime)({ folder: trained, steps: 20, evaluateEvery: 10, samples });
});

/** Writes the folder of a run with these losses. */
async function runWith(name: string, losses: readonly number[], settings: object = {}): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder, { recursive: true });
  const lines = losses.map((loss, i) => JSON.stringify({ step: i + 1, loss }));
  await writeFile(join(folder, 'metrics.jsonl'), `${lines.join('\n')}\n`);
  const machine = { processor: 'P', cores: 1, memory: 2 ** 30, system: 's', node: '20' };
  const start = { event: 'start', step: 0, time: '2026-01-02T03:04:05.000Z', settings, machine };
  await writeFile(join(folder, 'run-log.jsonl'), `${JSON.stringify(start)}\n`);
  return folder;
}

/** The curves of a chart as the page's script reads them. */
function curvesOf(page: string, title: string): { name: string; points: [number, number, string][] }[] {
  const [, data] = new RegExp(`<strong>${title}</strong>.*?<script type="application/json">(.*?)</script>`, 's').exec(
    page,
  )!;
  return JSON.parse(data!).curves;
}

describe('the report of a run', () => {
  let page: string;
  beforeAll(async () => {
    page = await runReport([trained]);
  });

  test('has a chart of each metric and of the speed, with the values', () => {
    const titles = [...page.matchAll(/<figcaption><strong>(.*?)<\/strong>/g)].map(([, title]) => title);
    expect(titles).toEqual(['Loss', 'Learning rate', 'Speed', 'gradientNorm']);
    const [loss, evaluation] = curvesOf(page, 'Loss');
    expect(loss!.name).toBe('loss');
    expect(loss!.points.map(([, step]) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(evaluation!.name).toBe('evaluationLoss');
    expect(evaluation!.points.map(([, step]) => step)).toEqual([10, 20]);
  });

  test('has the sheets, the settings, the time and the machine', () => {
    expect(page.match(/src="data:image\/png;base64,iVBOR/g)).toHaveLength(2);
    expect(page).toContain('samples at step 10');
    expect(page).toContain('&#34;kind&#34;: &#34;decoder&#34;');
    expect(page).toContain('20 of 20');
    expect(page).toMatch(/nats a token; best \d\.\d+ at step \d+/);
    expect(page).toContain(`Node.js ${process.versions.node}`);
  });

  test('escapes names and captions', () => {
    expect(page).not.toContain('<b>');
    expect(page).not.toContain('<img src=x');
    expect(page).toContain('&#60;/script&#62;&#60;img src=x onerror=&#34;alert(1)&#34;&#62;');
    expect(page).toContain('a &#60;b&#62;run');
  });

  test('needs no network', () => {
    const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    expect(page).toContain(`<meta http-equiv="Content-Security-Policy" content="${policy}">`);
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    expect(page).not.toMatch(/https?:|@import|url\(/);
  });
});

test('runs are compared, and the settings that differ are listed', async () => {
  const first = await runWith('first', [3, 2, 1], { seed: 1, config: { batchSize: 8 } });
  const second = await runWith('second', [3, 2.5], { seed: 1, config: { batchSize: 16 } });
  const page = await runReport([first, second]);
  expect(curvesOf(page, 'Loss').map(({ name, points }) => [name, points.length])).toEqual([
    ['first', 3],
    ['second', 2],
  ]);
  expect(page).toContain('<tr><th>config.batchSize</th><td>8</td><td>16</td></tr>');
  expect(page).not.toContain('<th>seed</th>');
});

test('runs whose folders have one name are named by their paths', async () => {
  const folders = [await runWith('x/run', [1]), await runWith('y/run', [2])];
  expect(curvesOf(await runReport(folders), 'Loss').map(({ name }) => name)).toEqual(folders);
});

test('a metric named by a file cannot end the script', async () => {
  const folder = await runWith('hostile', [1]);
  await appendFile(join(folder, 'metrics.jsonl'), `${JSON.stringify({ step: 2, [hostile]: 1 })}\n`);
  const page = await runReport([folder]);
  expect(page).not.toContain('<img src=x');
  expect(page.match(/<script/g)).toHaveLength(3);
});

test('a long run is averaged to the width of a chart, and keeps its mean', async () => {
  const losses = Array.from({ length: 10_000 }, (_, i) => 5 + Math.sin(i));
  const [curve] = curvesOf(await runReport([await runWith('long', losses)]), 'Loss');
  expect(curve!.points.length).toBeLessThanOrEqual(400);
  expect(curve!.points.length).toBeGreaterThan(300);
  expect(curve!.points.at(-1)![1]).toBe(10_000);
  for (const [, , value] of curve!.points) expect(Math.abs(Number(value) - 5)).toBeLessThan(0.1);
});

test.each([
  ['of one step', [0.5]],
  ['that does not change', [2, 2, 2]],
  ['of zeros', [0, 0]],
  ['of negative values', [-3, -1, 4]],
  ['over many magnitudes', [1e5, 10, 1e-7]],
])('a curve %s has an axis with labels, inside of the drawing', async (_, losses) => {
  const page = await runReport([await runWith('curve', losses)]);
  expect(page).not.toMatch(/NaN|Infinity|undefined/);
  const svg = /<svg.*?<\/svg>/s.exec(page)![0];
  expect(svg.match(/text-anchor="end">/g)!.length).toBeGreaterThanOrEqual(2);
  for (const [, x, y] of svg.matchAll(/(?<=[ "])(-?[\d.]+),(-?[\d.]+)/g)) {
    expect(Number(x)).toBeGreaterThanOrEqual(0);
    expect(Number(x)).toBeLessThanOrEqual(560);
    expect(Number(y)).toBeGreaterThanOrEqual(0);
    expect(Number(y)).toBeLessThanOrEqual(260);
  }
});

test('a run without a log or with an incomplete last line has a report', async () => {
  const folder = await runWith('old', [2, 1]);
  await rm(join(folder, 'run-log.jsonl'));
  await appendFile(join(folder, 'metrics.jsonl'), '{"step":3,"lo');
  const page = await runReport([folder]);
  expect(curvesOf(page, 'Loss')[0]!.points).toHaveLength(2);
  expect(page).toContain('This run has no run-log.jsonl.');
});

test('a run that has just started has a report', async () => {
  const folder = await runWith('new', []);
  await writeFile(join(folder, 'metrics.jsonl'), '');
  expect(await runReport([folder])).toContain('<tr><th>Steps</th><td>0</td></tr>');
});

test('a folder that is not a run is refused by name', async () => {
  const empty = await temporaryFolder();
  await expect(runReport([empty])).rejects.toThrow(`${empty} must be the folder of a training run`);
  await expect(runReport([])).rejects.toThrow(OptionError);
  expect(await readdir(empty)).toEqual([]);
});

test('the last evaluation of a run has its figures, its sheet and the prompts', async () => {
  const { evaluationLoss } = (await readMetrics(join(trained, 'metrics.jsonl')))[19]!;
  expect(await readLastEvaluation(trained)).toEqual({
    step: 20,
    figures: { evaluationLoss },
    samples: 96,
    sheet: {
      png: await readFile(join(trained, 'samples-00000020.png')),
      prompts: ['red circle', hostile],
    },
  });
  expect(await readLastEvaluation(await runWith('unmeasured', [1]))).toBeUndefined();
  expect(await readLastEvaluation(await temporaryFolder())).toBeUndefined();
});
