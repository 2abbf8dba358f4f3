/** A report of a prepared data set as a page of HTML without a network: counts, charts by shard, problems with examples. */
import { type Chart, drawChart, type Html, html, reportPage, series } from '@dalle-mini/core/report';

import type { ShardStats } from '../shards/stats.js';
import type { PrepareSummary } from '../summary.js';

/** Makes the report of a data set from the counts of its shards. */
export function prepareReport(name: string, summary: PrepareSummary, shards: ReadonlyMap<number, ShardStats>): string {
  const ordered = [...shards].sort(([a], [b]) => a - b);
  const charts =
    ordered.length > 0
      ? html`<div class="charts">${chartsOf(ordered).map((chart) => drawChart(chart, [name]))}</div>`
      : '';
  return reportPage(
    `Data: ${name}`,
    html`<h1>${name}</h1>
<div class="scroll">${overview(summary, ordered)}</div>
<h2>Shards</h2>
${charts}
<h2>Rows without an image</h2>
${shares(Object.entries(summary.problems), summary.rows)}
<h2>Rows of the lists that cannot be used</h2>
${badRows(summary)}`,
  );
}

const count = (value: number) => value.toLocaleString('en');
const percent = (part: number, whole: number) => (whole === 0 ? '' : ` (${((100 * part) / whole).toFixed(1)} %)`);

function overview(
  { plan, shards, rows, successes, bytes }: PrepareSummary,
  ordered: readonly [number, ShardStats][],
): Html {
  const start = Math.min(...ordered.map(([, stats]) => stats.start_time));
  const end = Math.max(...ordered.map(([, stats]) => stats.end_time));
  const lines: readonly (readonly [string, string])[] = [
    ['Rows of the lists', count(plan.rows)],
    ['Shards', `${count(shards.written)} of ${count(shards.total)}, of ${count(plan.shardSize)} rows`],
    ['Rows of these shards', count(rows)],
    ['Images', `${count(successes)}${percent(successes, rows)}`],
    ['Downloaded', `${(bytes / 1e9).toFixed(3)} GB`],
    ...(ordered.length > 0 ? [['First and last shard', `${timeOf(start)}, ${timeOf(end)}`] as const] : []),
  ];
  return html`<table><tbody>${lines.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>`)}</tbody></table>`;
}

const timeOf = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

function chartsOf(shards: readonly [number, ShardStats][]): Chart[] {
  const chart = (title: string, description: string, value: (stats: ShardStats) => number): Chart => ({
    title,
    description,
    xName: 'shard',
    series: [
      series(
        title,
        0,
        shards.map(([number, stats]) => [number, value(stats)] as const),
      ),
    ],
  });
  return [
    chart('Images', 'share of rows, %', ({ successes, count }) => (100 * successes) / count),
    chart('Not downloaded', 'share of rows, %', ({ failed_to_download, count }) => (100 * failed_to_download) / count),
    chart(
      'Left out',
      'downloaded, but not decoded or refused by a filter, %',
      ({ failed_to_resize, count }) => (100 * failed_to_resize) / count,
    ),
    chart('Time', 'seconds from the first row of a shard to its last', ({ duration }) => duration),
  ];
}

/** A table of counts with their share. */
function shares(counts: readonly (readonly [string, number])[], whole: number): Html {
  if (counts.length === 0) return html`<p>None.</p>`;
  const rows = counts.map(
    ([name, part]) => html`<tr><th>${name}</th><td>${count(part)}${percent(part, whole)}</td></tr>`,
  );
  return html`<div class="scroll"><table><tbody>${rows}</tbody></table></div>`;
}

function badRows({ plan }: PrepareSummary): Html {
  if (plan.problems.length === 0) return html`<p>None.</p>`;
  const rows = plan.problems.map(
    ({ problem, count: of, example }) => html`<tr><th>${problem}</th><td>${count(of)}</td><td>${example}</td></tr>`,
  );
  return html`<div class="scroll"><table><thead><tr><th></th><th>Rows</th><th>The first one</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}
