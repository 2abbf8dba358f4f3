import { runModule } from '@dalle-mini/testing/processes';
import { expect, test } from 'vitest';

/** Runs a program that cannot load the packages with native code. Returns its output. */
async function withoutNativePackages(program: string): Promise<string> {
  const hooks = `export function resolve(name, context, next) {
    if (/^(sharp|onnxruntime-node)$/.test(name)) throw new Error('no ' + name);
    return next(name, context);
  }`;
  const dataUrl = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`;
  const env = { ...process.env, NODE_OPTIONS: `--import ${dataUrl(register)}` };
  const { code, stdout, stderr } = await runModule(program, import.meta.dirname, [], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test('writes PNG without sharp and ONNX Runtime, and names the package to install for WebP', async () => {
  const program = `
    import { encodeImage, imageGrid } from '@dalle-mini/pipeline';
    const image = imageGrid([{ width: 1, height: 1, data: new Uint8Array(3) }]);
    console.log((await encodeImage(image)).length > 0);
    console.log(await encodeImage(image, { format: 'webp' }).catch((error) => error.message));`;
  expect(await withoutNativePackages(program)).toBe(
    'true\nJPEG and WebP files are written with sharp, which cannot be loaded. Install it with "npm install sharp".\n',
  );
});

test('exports TextToImage from an entry that needs no Node.js modules', async () => {
  const program = `
    import { register } from 'node:module';
    const hooks = \`import { isBuiltin } from 'node:module';
      export function resolve(name, context, next) {
        if (isBuiltin(name)) throw new Error('needs ' + name);
        return next(name, context);
      }\`;
    register('data:text/javascript,' + encodeURIComponent(hooks));
    const { TextToImage } = await import('@dalle-mini/pipeline/text-to-image');
    console.log(typeof TextToImage);`;
  expect(await withoutNativePackages(program)).toBe('function\n');
});
