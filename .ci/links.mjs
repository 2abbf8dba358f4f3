/** Checks that relative links in Markdown files lead to files or folders of the repository, and to headings that are there. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { check, execute, root } from './checks.mjs';

/** The anchors that GitHub gives a file's headings. */
function anchors(path) {
  const headings = readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, text]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

await check('relative links in Markdown files lead somewhere', () => {
  const broken = [];
  for (const file of execute('git', ['ls-files', '*.md']).trim().split('\n')) {
    const text = readFileSync(join(root, file), 'utf8').replace(/^```.*?^```/gms, '');
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path, anchor] = link.split('#');
      const target = path === '' ? join(root, file) : resolve(root, dirname(file), path);
      if (!existsSync(target)) broken.push(`${file}: ${link}`);
      else if (anchor && !anchors(target).includes(anchor)) broken.push(`${file}: ${link}, which is no heading there`);
    }
  }
  if (broken.length > 0) throw new Error(broken.join('\n'));
});
