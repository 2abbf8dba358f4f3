/** A row of a plot: the values of all seeds, their mean, and half of its interval. */
export interface PlotRow {
  readonly name: string;
  readonly values: readonly number[];
  readonly mean: number;
  readonly half: number;
}

const [width, rowHeight, left, right, top] = [640, 28, 170, 30, 34];

/** Draws a dot for each seed, and the mean with its interval, as an SVG. */
export function plot(title: string, rows: readonly PlotRow[]): string {
  const ends = rows.flatMap(({ values, mean, half }) => [
    ...values,
    ...(Number.isFinite(half) ? [mean - half, mean + half] : []),
  ]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const margin = 0.05 * (high - low || 1);
  const x = (value: number) =>
    (left + ((value - low + margin) / (high - low + 2 * margin)) * (width - left - right)).toFixed(1);
  const height = top + rows.length * rowHeight + 24;
  const lines = rows.flatMap(({ name, values, mean, half }, i) => {
    const y = top + (i + 0.5) * rowHeight;
    const interval = Number.isFinite(half)
      ? [`<path d="M${x(mean - half)} ${y}H${x(mean + half)}" stroke="#36c" stroke-width="3"/>`]
      : [];
    return [
      `<text x="${left - 10}" y="${y + 4}" text-anchor="end">${name}</text>`,
      ...interval,
      ...values.map((value) => `<circle cx="${x(value)}" cy="${y}" r="3" fill="#999"/>`),
      `<circle cx="${x(mean)}" cy="${y}" r="5" fill="#36c"/>`,
    ];
  });
  const axis = [low, (low + high) / 2, high].map(
    (value) => `<text x="${x(value)}" y="${height - 6}" text-anchor="middle">${value.toFixed(3)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<title>${title}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="20" font-weight="bold">${title}</text>
${[...lines, ...axis].join('\n')}
</svg>
`;
}
