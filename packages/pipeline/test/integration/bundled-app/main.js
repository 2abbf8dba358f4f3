// @ts-nocheck: a program of browsers.
import { openInWorker } from '@dalle-mini/pipeline/browser/client';

const functions = {
  async generate(options) {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    await using model = await openInWorker(worker, 'emoji', options);
    const [picture] = await model.generate('a red apple', { seed: 7 });
    return { tokens: [...picture.tokens], png: (await picture.toBuffer()).length };
  },
};

window.onPage = (name, argument) => functions[name](argument);
window.isLoaded = true;
