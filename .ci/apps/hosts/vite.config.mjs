export default { build: { ssr: 'main.mjs', outDir: 'out/vite' }, ssr: { noExternal: true, external: ['sharp'] } };
