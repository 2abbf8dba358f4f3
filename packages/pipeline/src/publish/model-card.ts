import type { ModelDescription } from '../model-folder/description.js';

/** What a model card tells of the training. Each part may be missing. */
export interface TrainingDetails {
  /** Names of data sets of the hub, such as `owner/name`. */
  readonly datasets?: readonly string[] | undefined;
  /** Number of training samples. */
  readonly samples?: number | undefined;
  /** Steps taken. */
  readonly steps?: number | undefined;
  /** Figures of an evaluation on held-out data, by their names. */
  readonly figures?: Readonly<Record<string, number>> | undefined;
  /** A PNG file with generated images, and the prompts of these. */
  readonly sheet?: { readonly png: Uint8Array; readonly prompts: readonly string[] } | undefined;
}

/** The name of the picture of a card in the repository. */
export const sheetName = 'samples.png';

/** Licenses that the hub knows by these identifiers. Others have the name `other`. */
const licenses = new Set(
  (
    'apache-2.0 mit openrail bsd-2-clause bsd-3-clause cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 ' +
    'cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-4.0 cc-by-nc-sa-4.0 gpl-2.0 gpl-3.0 agpl-3.0 lgpl-3.0 mpl-2.0 unlicense'
  ).split(' '),
);

const figureNames: Readonly<Record<string, string>> = {
  evaluationLoss: 'cross entropy of a held-out token, nats',
  evaluationPsnr: 'peak signal-to-noise ratio of held-out images, dB',
  evaluationLpips: 'LPIPS distance of held-out images from their reconstructions',
  evaluationCodesUsed: 'share of the codebook that held-out images use',
};

/**
 * Writes the card of a model: Markdown with the metadata that the hub reads.
 *
 * @param repo The name of the repository, for the examples.
 */
export function modelCard(
  { name, license, sampling }: Pick<ModelDescription, 'name' | 'license' | 'sampling'>,
  repo: string,
  { datasets = [], samples, steps, figures = {}, sheet }: TrainingDetails = {},
): string {
  const known = license?.toLowerCase();
  const metadata = [
    ...(license === undefined
      ? []
      : licenses.has(known!)
        ? [`license: ${known}`]
        : ['license: other', `license_name: ${JSON.stringify(license)}`]),
    'library_name: dalle-mini',
    'pipeline_tag: text-to-image',
    'tags:\n- dalle-mini\n- text-to-image',
    ...(datasets.length > 0
      ? [`datasets:\n${datasets.map((dataset) => `- ${JSON.stringify(dataset)}`).join('\n')}`]
      : []),
  ];
  const training = [
    ...datasets.map(
      (dataset) => `Data: [${escapeMarkdown(dataset)}](https://huggingface.co/datasets/${encodeURI(dataset)}).`,
    ),
    ...(samples === undefined ? [] : [`Training samples: ${samples}.`]),
    ...(steps === undefined ? [] : [`Steps: ${steps}.`]),
  ];
  const rows = Object.entries(figures).map(
    ([figure, value]) => `| ${escapeMarkdown(figureNames[figure] ?? figure)} | ${Number(value.toPrecision(4))} |`,
  );
  const defaults = Object.entries(sampling).map(([option, value]) => `| \`${option}\` | ${value} |`);
  return [
    `---\n${metadata.join('\n')}\n---`,
    `# ${escapeMarkdown(name)}`,
    'A [DALL·E Mini](https://github.com/dalle-mini/dalle-mini-ts) model: it generates images from text.',
    ...(sheet
      ? [
          `![Generated images](${sheetName})`,
          `Prompts, row by row: ${sheet.prompts.map((prompt) => `“${escapeMarkdown(prompt)}”`).join(', ')}.`,
        ]
      : []),
    '## Usage',
    `\`\`\`sh\nnpx @dalle-mini/cli generate "a red apple" --model ${repo}\n\`\`\``,
    "```ts\nimport { fromPretrained } from '@dalle-mini/pipeline';\n\n" +
      `const model = await fromPretrained('${repo}');\n` +
      "const [picture] = await model.generate('a red apple');\nawait picture?.save('apple.png');\n```",
    ...(training.length > 0 ? ['## Training', training.join('\n')] : []),
    ...(rows.length > 0 ? [`## Evaluation`, `| figure | value |\n| --- | --- |\n${rows.join('\n')}`] : []),
    ...(defaults.length > 0
      ? ['## Sampling defaults', `| option | value |\n| --- | --- |\n${defaults.join('\n')}`]
      : []),
    ...(license === undefined ? [] : ['## License', `${escapeMarkdown(license)}.`]),
  ]
    .join('\n\n')
    .concat('\n');
}

/** Escapes what Markdown or HTML would interpret, and joins lines. */
function escapeMarkdown(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/[\\`*_{}[\]<>#|!&]/g, (character) =>
      character === '<' ? '&lt;' : character === '&' ? '&amp;' : `\\${character}`,
    );
}
