import { runModule } from '@dalle-mini/testing/processes';
import { expect, test } from 'vitest';

test('settles promises when loading is aborted, or when the model is disposed of while generating', async () => {
  // Replies of the workers arrive while the main thread is blocked, and are read after the abort.
  const program = `
    import { setTimeout } from 'node:timers/promises';
    import { fromPretrained } from '@dalle-mini/pipeline';
    const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    for (let ms = 0; ms < 200; ms += 40) {
      const stop = new AbortController();
      const loading = fromPretrained('emoji', { threads: 1, signal: stop.signal }).catch(() => {});
      await setTimeout(ms);
      block();
      stop.abort();
      await (await loading)?.dispose();
    }
    const model = await fromPretrained('emoji', { threads: 1 });
    model.generate('a cat').catch(() => {});
    await setTimeout(20);
    block();
    await Promise.all([model.dispose(), model.dispose()]);
    console.log('end');`;
  // An event loop that runs empty before a promise settles ends a process with code 13.
  expect(await runModule(program, import.meta.dirname)).toEqual({ code: 0, stdout: 'end\n', stderr: '' });
});
