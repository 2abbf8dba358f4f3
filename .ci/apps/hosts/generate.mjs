import { fromPretrained } from '@dalle-mini/pipeline';

/** Generates an image. Returns its tokens. */
export async function generate() {
  const model = await fromPretrained('emoji', { threads: 2 });
  const [picture] = await model.generate('a red apple', { seed: 7 });
  await model.dispose();
  return picture.tokens.join();
}
