/** What a person asks for. The same request gives the same pictures. */
export interface Request {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed: number;
  /** Number of pictures. It belongs to the request, since rounding may differ with it. */
  readonly n: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly guidanceScale: number;
}

/** The numbers of a request, by the names that they have in links. */
const numbers = {
  seed: 'seed',
  n: 'n',
  temperature: 'temperature',
  'top-k': 'topK',
  'top-p': 'topP',
  guidance: 'guidanceScale',
} as const satisfies Record<string, keyof Request>;

/** What a link asks for: a request, and maybe the index of one of its pictures. */
export interface LinkTarget {
  readonly request: Request;
  readonly index: number | undefined;
}

/** Writes a request as the fragment of a link, such as `#prompt=a+red+apple&seed=7&…`. Servers do not see fragments. */
export function toFragment(request: Request, index?: number): string {
  const parameters = new URLSearchParams({ prompt: request.prompt });
  if (request.negativePrompt) parameters.set('negative-prompt', request.negativePrompt);
  for (const [name, field] of Object.entries(numbers)) parameters.set(name, String(request[field]));
  if (index !== undefined) parameters.set('picture', String(index + 1));
  return `#${parameters}`;
}

/**
 * Reads the fragment of a link. What it does not name, or is not a number, comes from `defaults`; the model refuses numbers that are out
 * of their range.
 *
 * @returns `undefined` if the fragment has no prompt.
 */
export function fromFragment(fragment: string, defaults: Request): LinkTarget | undefined {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const prompt = parameters.get('prompt');
  if (!prompt) return undefined;
  const request = { ...defaults, prompt, negativePrompt: parameters.get('negative-prompt') ?? '' };
  for (const [name, field] of Object.entries(numbers))
    request[field] = numberOf(parameters.get(name)) ?? request[field];
  const picture = numberOf(parameters.get('picture'));
  return { request, index: picture === undefined ? undefined : picture - 1 };
}

function numberOf(text: string | null): number | undefined {
  const number = Number(text ?? '');
  return text && Number.isFinite(number) ? number : undefined;
}

/** A random seed, short enough to be read aloud. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000;
}
