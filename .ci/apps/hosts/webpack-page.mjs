// A page as docs/browser.md says, with webpack's defaults.
import { writeFileSync } from 'node:fs';
import webpack from 'webpack';

const path = `${process.cwd()}/out/page`;
webpack({ mode: 'production', entry: './page.mjs', output: { path, filename: 'page.js' } }, (error, stats) => {
  if (error) throw error;
  if (stats.hasErrors()) throw new Error(stats.toString());
  writeFileSync(`${path}/index.html`, '<!doctype html><script defer src="page.js"></script>');
});
