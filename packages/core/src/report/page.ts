import { Html, html } from './html.js';

const style = new Html(`
:root { color-scheme: light dark; --text: #1d2430; --soft: #5b6675; --line: #dde2e9; --back: #fff; --card: #f7f8fa;
  --c0: #1f6fd6; --c1: #d9541e; --c2: #14855b; --c3: #9b3fc4; --c4: #b07d00; --c5: #c2255c; --c6: #0b8296; --c7: #5f6b7a; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --soft: #9aa5b4; --line: #303844; --back: #14181f; --card: #1c222b;
  --c0: #6aa9ff; --c1: #ff9166; --c2: #4fcf9c; --c3: #d08cf0; --c4: #e5b93c; --c5: #ff7fa8; --c6: #4cc9dd; --c7: #a9b4c2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1240px; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 24px; margin: 0 0 16px; overflow-wrap: anywhere; } h2 { font-size: 18px; margin: 36px 0 12px; } h3 { font-size: 15px; margin: 20px 0 8px; }
table { border-collapse: collapse; } .scroll { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { min-width: 130px; } th { font-weight: 600; } tbody th { font-weight: 400; color: var(--soft); white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 16px; }
figure { margin: 0; } .chart { position: relative; background: var(--card); border-radius: 8px; padding: 12px 12px 4px; }
figcaption { color: var(--soft); font-size: 13.5px; } figcaption strong { color: var(--text); font-size: 15px; margin-right: 6px; }
svg { display: block; width: 100%; height: auto; margin-top: 6px; } svg text { fill: var(--soft); font-size: 12px; }
.axis line { stroke: var(--line); } polyline { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; }
polygon { fill: currentColor; opacity: .16; } circle { fill: currentColor; } .cursor[hidden] { display: none; } .cursor { stroke: var(--soft); stroke-dasharray: 2 2; }
${Array.from({ length: 8 }, (_, i) => `.run${i} { color: var(--c${i}); }`).join(' ')}
.key::before { content: ''; display: inline-block; width: 14px; height: 3px; margin-right: 7px; vertical-align: middle; background: currentColor; }
.key span { color: var(--text); }
.values { position: absolute; top: 44px; pointer-events: none; background: var(--back); border: 1px solid var(--line); border-radius: 6px;
  padding: 6px 10px; font-size: 13px; white-space: nowrap; max-width: 70%; overflow: hidden; } .values b { font-weight: 600; }
.sheets { display: flex; flex-wrap: wrap; gap: 16px; align-items: start; } .sheets img { display: block; max-width: 100%; height: auto; border-radius: 4px; image-rendering: pixelated; }
pre { background: var(--card); padding: 12px; border-radius: 8px; overflow-x: auto; font-size: 13px; } summary { cursor: pointer; }
ol { margin: 4px 0; padding-left: 24px; columns: 3 220px; }
`);

/** Shows the values next to the pointer. */
const script = new Html(`
for (const chart of document.querySelectorAll('.chart')) {
  const { width, xName, curves } = JSON.parse(chart.querySelector('script').textContent);
  const [svg, cursor, box] = ['svg', '.cursor', '.values'].map((name) => chart.querySelector(name));
  const hide = () => { cursor.setAttribute('hidden', ''); box.hidden = true; };
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('pointermove', (event) => {
    const area = svg.getBoundingClientRect();
    const x = ((event.clientX - area.left) / area.width) * width;
    const nearest = curves.map(({ points }) => points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a)));
    const closest = nearest.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
    cursor.removeAttribute('hidden');
    for (const end of ['x1', 'x2']) cursor.setAttribute(end, closest[0]);
    box.replaceChildren(...curves.map(({ name, run }, i) => {
      const row = document.createElement('div');
      row.className = 'key run' + run;
      const text = document.createElement('span');
      text.textContent = name + ' ';
      const value = document.createElement('b');
      value.textContent = nearest[i][2];
      text.append(value, ' at ' + xName + ' ' + nearest[i][1].toLocaleString('en'));
      row.append(text);
      return row;
    }));
    box.hidden = false;
    const left = (closest[0] / width) * area.width + 24;
    const fits = left + box.offsetWidth < area.width;
    box.style.left = (fits ? left : Math.max(8, left - box.offsetWidth - 30)) + 'px';
  });
}
`);

/** Returns a page of HTML in one file, which needs no network. `content` begins with the headline. */
export function reportPage(title: string, content: Html): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${content}
<script>${script}</script>
</body>
</html>
`;
  return page.text;
}
