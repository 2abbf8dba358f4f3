/**
 * Checks that the targets of links exist: relative links of the Markdown files to files, folders and headings of the repository, and links of
 * the built documentation (`npm run docs`) to pages and anchors of it.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { check, execute, root } from './checks.mjs';

/** Returns the anchors of a file's headings on GitHub. */
function anchors(path) {
  const headings = readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, text]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Returns the matches of a pattern's group in a page, such as values of attributes. */
const matches = (html, pattern) => [...html.matchAll(pattern)].map(([, value]) => value.replaceAll('&amp;', '&'));

await check('relative links in Markdown files lead somewhere', () => {
  const broken = [];
  for (const file of execute('git', ['ls-files', '*.md']).trim().split('\n')) {
    const text = readFileSync(join(root, file), 'utf8').replace(/^```.*?^```/gms, '');
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path, anchor] = link.split('#');
      const place = path === '' ? join(root, file) : resolve(root, dirname(file), path);
      // GitHub shows a folder's README with the folder.
      const readme = join(place, 'README.md');
      const target = anchor && existsSync(readme) ? readme : place;
      if (!existsSync(target)) broken.push(`${file}: ${link}`);
      else if (anchor && !anchors(target).includes(anchor))
        broken.push(`${file}: ${link}, which is not a heading there`);
    }
  }
  if (broken.length > 0) throw new Error(broken.join('\n'));
});

await check('links of the built documentation lead to its pages and anchors', () => {
  const folder = join(root, 'docs/api');
  if (!existsSync(folder)) throw new Error('docs/api does not exist. Run "npm run docs" first.');
  const pages = new Map(
    readdirSync(folder, { recursive: true })
      .filter((path) => /\.(html|svg)$/.test(path))
      .map((path) => [join(folder, path), readFileSync(join(folder, path), 'utf8')]),
  );
  const ids = new Map([...pages].map(([path, html]) => [path, new Set(matches(html, /\sid="([^"]*)"/g))]));
  const broken = new Set();
  for (const [page, html] of pages) {
    for (const link of matches(html, /\s(?:href|src)="([^"]*)"/g)) {
      // Addresses of other sites, of mail, and pictures within the page.
      if (/^([a-z]+:|\/\/)/.test(link)) continue;
      const [path, anchor] = link.split('#').map(decodeURIComponent);
      const target = path === '' ? page : resolve(dirname(page), path);
      const isMissing = !statSync(target, { throwIfNoEntry: false })?.isFile();
      if (isMissing || (anchor && !ids.get(target)?.has(anchor)))
        broken.add(`${page.slice(folder.length + 1)}: ${link}`);
    }
  }
  if (broken.size > 0) throw new Error([...broken].join('\n'));
});
