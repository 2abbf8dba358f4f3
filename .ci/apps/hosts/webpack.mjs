import webpack from 'webpack';

const options = {
  mode: 'production',
  target: 'node',
  entry: './main.mjs',
  output: { path: `${process.cwd()}/out/webpack`, filename: 'main.cjs' },
  externals: { sharp: 'commonjs sharp' },
};
webpack(options, (error, stats) => {
  if (error) throw error;
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
});
