import { openInWorker } from '@dalle-mini/pipeline/browser/client';

window.generate = async () => {
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { type: 'module' });
  const model = await openInWorker(worker, 'emoji');
  const [picture] = await model.generate('a red apple', { seed: 7 });
  return picture.tokens.join();
};
