import { cpSync } from 'node:fs';
import { bundle } from '../../rolldown.config.mjs';

/** Copies the page that the demo builds for servers. */
const page = {
  name: 'page',
  writeBundle: () => cpSync('../../demo/dist/served', 'dist/page', { recursive: true }),
};

export default { ...bundle(), plugins: [page] };
