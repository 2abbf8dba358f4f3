import { defaultClientConditions, defineConfig } from 'vite';

const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** `vite build` makes a page that runs from static files alone; `vite build --mode served` the page of `dalle-mini serve`. */
export default defineConfig(({ mode }) => ({
  base: './',
  // The condition chooses the source of the model: see `imports` in package.json.
  resolve: { conditions: [...(mode === 'served' ? ['served'] : []), ...defaultClientConditions] },
  build: {
    outDir: mode === 'served' ? 'dist/served' : 'dist/static',
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  worker: { format: 'es' },
  server: { headers: isolation, proxy: { '/api': 'http://127.0.0.1:8080' } },
  preview: { headers: isolation },
}));
