import { type Chart, drawChart, formatValue, Html, html, reportPage, series } from '@dalle-mini/core/report';
import { expect, test } from 'vitest';

test('html escapes everything but what is HTML', () => {
  const name = '<b>"&\'';
  expect(html`<p>${name}${[1, html`<i>${2}</i>`]}${new Html('<hr>')}</p>`.text).toBe(
    '<p>&#60;b&#62;&#34;&#38;&#39;1<i>2</i><hr></p>',
  );
});

test('a chart has its curve, and the values next to the pointer, safe in a page', () => {
  const points = series('share', 0, [
    [0, 50],
    [10, 75],
  ]);
  const chart: Chart = { title: '</script>', description: '%', xName: 'shard', series: [points] };
  const { text } = drawChart(chart, ['data']);
  expect(text).toContain('<polyline points="58,230 548,10"/>');
  expect(text).toContain('"xName":"shard"');
  expect(text.match(/<\/script>/g)).toHaveLength(1);
});

test('a page needs no network', () => {
  const page = reportPage('a & b', html`<h1>a</h1>`);
  expect(page).toContain("default-src 'none'");
  expect(page).toContain('<title>a &#38; b</title>');
  expect(page).toContain('<h1>a</h1>');
});

test('numbers have four digits', () => {
  expect([0, 1234.56, 0.000123, 2e6].map(formatValue)).toEqual(['0', '1235', '1.23e-4', '2e6']);
});
