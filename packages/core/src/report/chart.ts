import { axisOf } from './axis.js';
import { type Html, html, json } from './html.js';
import { formatValue, type Series } from './series.js';

export interface Chart {
  readonly title: string;
  /** What the values are, and their unit. */
  readonly description: string;
  readonly series: readonly Series[];
  /** What the points are counted by. Default `step`. */
  readonly xName?: string;
  /** Whether the axis may be logarithmic. */
  readonly mayBeLog?: boolean;
}

// Units of the drawing, which is scaled to its place.
const [width, height] = [560, 260];
const margin = { left: 58, right: 12, top: 10, bottom: 30 };
const [plotWidth, plotHeight] = [width - margin.left - margin.right, height - margin.top - margin.bottom];

/**
 * Draws curves by step as SVG. Curves of one run have its color; those of an evaluation have points. The values are in
 * the element too, for the script that shows them.
 */
export function drawChart(
  { title, description, series, xName = 'step', mayBeLog = false }: Chart,
  runs: readonly string[],
): Html {
  const points = series.flatMap((curve) => curve.points);
  const x = axisOf([0, ...points.map(({ step }) => step)], { isTight: true });
  const y = axisOf(
    points.map(({ mean }) => mean),
    { mayBeLog },
  );
  const at = (step: number) => round(margin.left + x.place(step) * plotWidth);
  // Ranges may be outside of the axis, which is that of the means.
  const on = (value: number) => {
    const place = Math.min(1, Math.max(0, y.isLog && value <= 0 ? 0 : y.place(value)));
    return round(margin.top + (1 - place) * plotHeight);
  };
  const horizontal = y.ticks.map(
    (tick) => html`<line x1="${margin.left}" x2="${width - margin.right}" y1="${on(tick)}" y2="${on(tick)}"/>
<text x="${margin.left - 6}" y="${on(tick)}" dy=".32em" text-anchor="end">${formatValue(tick)}</text>`,
  );
  const vertical = x.ticks.map(
    (tick) => html`<text x="${at(tick)}" y="${height - 10}" text-anchor="middle">${tick.toLocaleString('en')}</text>`,
  );
  const curves = series.map(({ metric, run, points }) => {
    const isEvaluation = metric.startsWith('evaluation');
    const line = points.map(({ step, mean }) => `${at(step)},${on(mean)}`).join(' ');
    const hasRange = points.some(({ min, max }) => min < max);
    const band = [
      ...points.map(({ step, max }) => `${at(step)},${on(max)}`),
      ...points.map(({ step, min }) => `${at(step)},${on(min)}`).reverse(),
    ].join(' ');
    const dots = isEvaluation || points.length === 1 ? points : [];
    return html`<g class="run${run % 8}">${hasRange ? html`<polygon points="${band}"/>` : ''}
<polyline points="${line}"${isEvaluation ? html` stroke-dasharray="5 3"` : ''}/>
${dots.map(({ step, mean }) => html`<circle cx="${at(step)}" cy="${on(mean)}" r="2.5"/>`)}</g>`;
  });
  const values = {
    width,
    xName,
    curves: series.map(({ metric, run, points }) => ({
      name: nameOf(metric, run, series, runs),
      run: run % 8,
      points: points.map(({ step, mean }) => [at(step), step, formatValue(mean)]),
    })),
  };
  return html`<figure class="chart">
<figcaption><strong>${title}</strong> ${description}${y.isLog ? ', logarithmic' : ''}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title} by ${xName}">
<g class="axis">${horizontal}${vertical}</g>${curves}
<line class="cursor" y1="${margin.top}" y2="${height - margin.bottom}" hidden=""/>
</svg>
<div class="values" hidden=""></div>
<script type="application/json">${json(values)}</script>
</figure>`;
}

/** Names a curve by what tells it from the others of its chart. */
function nameOf(metric: string, run: number, series: readonly Series[], runs: readonly string[]): string {
  const hasMetrics = series.some((other) => other.metric !== metric);
  if (runs.length === 1) return metric;
  return hasMetrics ? `${runs[run]}, ${metric}` : runs[run]!;
}

const round = (value: number) => Math.round(value * 10) / 10;
