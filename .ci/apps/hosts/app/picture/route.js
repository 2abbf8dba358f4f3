import { fromPretrained } from '@dalle-mini/pipeline';

export const dynamic = 'force-dynamic';

export async function GET() {
  globalThis.model ??= fromPretrained('emoji', { threads: 2 });
  const [picture] = await (await globalThis.model).generate('a red apple', { seed: 7 });
  return new Response(picture.tokens.join());
}
