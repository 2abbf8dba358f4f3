/** What a person trains, and what training has written: files that the browser keeps for this page (OPFS), which outlive it. */
import { BrowserFolder } from '@dalle-mini/core/browser';

/** A picture, and what it shows. */
export interface CaptionedPicture {
  readonly file: File;
  readonly caption: string;
}

/** How long is trained. */
export interface Job {
  readonly steps: number;
  /** Steps between two checkpoints, each with a sheet of sample pictures. */
  readonly samplesEvery: number;
  /** Of each picture. */
  readonly pictures: readonly { readonly name: string; readonly caption: string }[];
}

/** What is known of a job. */
export interface Run {
  readonly job: Job;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  /** The newest sheet of sample pictures. */
  readonly samples?: { readonly step: number; readonly sheet: Blob } | undefined;
  /** The model folder, when training has ended. */
  readonly archive?: Blob | undefined;
}

const root = 'training';
const jobFile = 'job.json';
const archiveFile = 'model.zip';

/** The folder of checkpoints, metrics and sheets. */
export const runFolder = `${root}/run`;

/** A sheet has eight pictures in a row. */
const sampleCount = 8;

/** The captions of the sample pictures. With few captions, some have several pictures. */
export function samplePrompts({ pictures }: Job): string[] {
  const captions = [...new Set(pictures.map(({ caption }) => caption))];
  return Array.from({ length: sampleCount }, (_, i) => captions[i % captions.length]!);
}

export async function writeJob(pictures: readonly CaptionedPicture[], times: Omit<Job, 'pictures'>): Promise<void> {
  const folder = await BrowserFolder.open(root);
  if (!folder)
    throw new Error(
      'Training needs a browser that keeps files for this page. Open the page by HTTPS, outside of private windows, in a newer browser.',
    );
  for (const [i, { file }] of pictures.entries()) await folder.write(pictureFile(i), file, file.name);
  const job: Job = { ...times, pictures: pictures.map(({ file, caption }) => ({ name: file.name, caption })) };
  // The last file, so that a job that is there is whole.
  await folder.write(jobFile, new TextEncoder().encode(JSON.stringify(job)));
}

/** Reads the files of the pictures of a job, in its order. */
export async function readPictures({ pictures }: Job): Promise<Blob[]> {
  const folder = await BrowserFolder.open(root);
  return Promise.all(
    pictures.map(async ({ name }, i) => {
      const file = await folder?.read(pictureFile(i));
      if (!file)
        throw new Error(`The browser has removed ${name}. Remove the training, and choose the pictures again.`);
      return file;
    }),
  );
}

export async function writeArchive(archive: Blob): Promise<void> {
  await (await BrowserFolder.open(root))?.write(archiveFile, archive, 'the model');
}

/** Returns none if no job was begun, or it was removed. */
export async function readRun(): Promise<Run | undefined> {
  const folder = await BrowserFolder.open(root);
  const job = await folder?.read(jobFile);
  if (!folder || !job) return undefined;
  const run = await folder.folder('run');
  const metrics = (await (await run.read('metrics.jsonl'))?.text()) ?? '';
  return {
    job: JSON.parse(await job.text()),
    losses: metrics
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line)),
    samples: await newestSamples(run),
    archive: await folder.read(archiveFile),
  };
}

async function newestSamples(run: BrowserFolder): Promise<Run['samples']> {
  const name = (await run.names()).findLast((name) => name.startsWith('samples-'));
  const sheet = name && (await run.read(name));
  return sheet ? { step: Number.parseInt(name.slice('samples-'.length), 10), sheet } : undefined;
}

/** Removes a job with all that it has written. */
export async function removeJob(): Promise<void> {
  await (await BrowserFolder.open())?.remove(root);
}

const pictureFile = (index: number) => `picture-${index}`;
