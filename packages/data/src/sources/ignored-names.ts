/** Files and folders that operating systems and tools add, in lower case. */
const leftovers: ReadonlySet<string> = new Set([
  '__macosx',
  '$recycle.bin',
  'system volume information',
  'lost+found',
  '@eadir',
  '#recycle',
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  'icon\r',
  'paxheader',
  'node_modules',
  '__pycache__',
]);

/**
 * Checks whether a file or a folder is hidden (`.DS_Store`, `._cat.jpg`, `.ipynb_checkpoints`) or was added by an operating
 * system or a tool (`__MACOSX`, `Thumbs.db`, `@eaDir`). Datasets leave these out without a word.
 *
 * @param name The last part of a path.
 */
export function isIgnored(name: string): boolean {
  return name.startsWith('.') || leftovers.has(name.toLowerCase());
}

const runFile = /^checkpoint-\d{8,}(-\d{5,}-of-\d{5,})?\.safetensors$|^metrics\.jsonl$/;
const runImage = /^(reconstructions|samples)-\d{8,}\.png$/;

/** Checks whether a folder, by the names in it, is that of a training run, whose images are not samples. */
export function isTrainingRun(names: readonly string[]): boolean {
  return names.some((name) => runFile.test(name));
}

/** Checks whether a file in the folder of a training run is an image that the run wrote. */
export function isRunImage(name: string): boolean {
  return runImage.test(name);
}
