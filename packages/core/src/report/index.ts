/** Reports as pages of HTML: charts in SVG, tables, and the page around them. */
export { type Chart, drawChart } from './chart.js';
export { Html, html, type Part } from './html.js';
export { reportPage } from './page.js';
export { formatValue, type Point, type Series, series } from './series.js';
