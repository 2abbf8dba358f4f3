import { encodeImage, fromPretrained } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { expect, test } from 'vitest';

test('a tiny model leaves the event loop free while it generates', async () => {
  const model = await fromPretrained(await writeTinyModel(await temporaryFolder()), { threads: 1 });
  await model.generate('a red apple', { n: 8 });
  expect(await longestTurn(() => model.generate('a red apple', { n: 16 }))).toBeLessThan(50);
  await model.dispose();
});

test('leaves the event loop free while the bundled model generates and its images are encoded', async () => {
  const model = await fromPretrained('emoji', { threads: 1 });
  const generate = async () => {
    const images = await model.generate('a red apple', { n: 8 });
    await Promise.all(images.map(({ image }) => encodeImage(image)));
  };
  await generate();
  // Each row of tokens takes at least twice as long. The benchmarks measure the exact time.
  expect(await longestTurn(generate)).toBeLessThan(100);
  await model.dispose();
});

/** Measures the longest delay of a timer during work, in milliseconds. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  const { eventLoopUtilization } = performance;
  const before = eventLoopUtilization();
  await work();
  clearInterval(timer);
  expect(longest).toBeGreaterThan(0);
  // The active time of the event loop excludes delays by other processes, and bounds the longest turn.
  return Math.min(longest, eventLoopUtilization(before).active);
}
