/** Plots the training curves of the model card: `npm run curves -- [run folder] [file.svg]`. */
import { join } from 'node:path';
import { writeFileAtomically } from '@dalle-mini/core/node';
import { type MetricsRecord, readMetrics } from '@dalle-mini/train';
import { pathOf } from './paths.js';

const run = pathOf(process.argv[2], 'runs/emoji');
const target = pathOf(process.argv[3], 'packages/emoji/curves.svg');
const width = 360;
const height = 200;
const margin = { left: 44, right: 12, top: 28, bottom: 30 };

interface Curve {
  readonly metric: string;
  readonly color: string;
  readonly label: string;
}

/** Averages a metric over at most 120 intervals, because single steps are noisy. */
function smooth(records: readonly MetricsRecord[], metric: string): { step: number; value: number }[] {
  const points = records.filter((record) => record[metric] !== undefined);
  const stretch = Math.ceil(points.length / 120);
  return Array.from({ length: Math.ceil(points.length / stretch) }, (_, i) => {
    const part = points.slice(i * stretch, (i + 1) * stretch);
    return { step: part.at(-1)!.step, value: part.reduce((sum, record) => sum + record[metric]!, 0) / part.length };
  });
}

function panel(
  title: string,
  records: readonly MetricsRecord[],
  curves: readonly Curve[],
  range: readonly [number, number],
): string {
  const [low, high] = range;
  const lastStep = records.at(-1)!.step;
  const x = (step: number) => margin.left + (step / lastStep) * (width - margin.left - margin.right);
  const y = (value: number) => {
    const clipped = Math.min(high, Math.max(low, value));
    return height - margin.bottom - ((clipped - low) / (high - low)) * (height - margin.top - margin.bottom);
  };
  const text = (at: readonly [number, number], content: string, attributes = '') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${attributes}>${content}</text>`;
  const parts = [text([margin.left, 16], title, 'font-weight="bold"')];
  for (const value of [low, (low + high) / 2, high]) {
    parts.push(`<path d="M${margin.left} ${y(value).toFixed(1)}H${width - margin.right}" stroke="#ddd"/>`);
    parts.push(text([margin.left - 6, y(value) + 4], String(value), 'text-anchor="end"'));
  }
  for (const step of [0, lastStep]) parts.push(text([x(step), height - 12], String(step), 'text-anchor="middle"'));
  for (const [i, { metric, color, label }] of curves.entries()) {
    const points = smooth(records, metric).map(({ step, value }) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`);
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="1.5"/>`);
    parts.push(text([width - margin.right, 40 + 14 * i], label, `text-anchor="end" fill="${color}"`));
  }
  return parts.join('\n');
}

const losses: readonly Curve[] = [
  { metric: 'loss', color: '#36c', label: 'training' },
  { metric: 'evaluationLoss', color: '#c33', label: 'held-out drawings' },
];
const metricsOf = (name: string) => readMetrics(join(run, name, 'metrics.jsonl'));
const panels = [
  panel(
    'VQ-GAN: PSNR in dB',
    await metricsOf('vqgan'),
    [{ metric: 'evaluationPsnr', color: '#c33', label: 'held-out pictures' }],
    [12, 26],
  ),
  panel('Decoder, first round: nats a token', await metricsOf('decoder-first'), losses, [0, 8]),
  panel('Decoder, second round: nats a token', await metricsOf('decoder'), losses, [0, 8]),
];
const groups = panels.map((content, i) => `<g transform="translate(${i * width} 0)">\n${content}\n</g>`);
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${panels.length * width}" height="${height}" font-family="sans-serif" font-size="11">
<title>Training curves of the bundled model</title>
<rect width="100%" height="100%" fill="white"/>
${groups.join('\n')}
</svg>
`;
await writeFileAtomically(target, svg);
console.log(target);
