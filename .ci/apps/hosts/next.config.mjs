// With STANDALONE, as docs/deploying.md says; without, as Next.js is by default.
const { platform, arch } = process;
const standalone = {
  output: 'standalone',
  serverExternalPackages: ['@dalle-mini/pipeline'],
  outputFileTracingIncludes: {
    '/picture': [
      './node_modules/@dalle-mini/emoji/**/*',
      './node_modules/onnxruntime-node/{package.json,dist/**/*}',
      `./node_modules/onnxruntime-node/bin/napi-v6/${platform}/${arch}/*`,
      './node_modules/onnxruntime-common/**/*',
    ],
  },
};
export default process.env.STANDALONE ? standalone : {};
