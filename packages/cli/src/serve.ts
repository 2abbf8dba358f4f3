import { once } from 'node:events';
import { type DeviceName, type FromPretrainedOptions, fromPretrained } from '@dalle-mini/pipeline';
import { type ServeOptions, serve as startServer } from '@dalle-mini/serve';
import { openRanker, showLoading } from './generate.js';
import { ProgressBar } from './progress-bar.js';
import { lineOf } from './report.js';

export interface ServeCommand extends Omit<ServeOptions, 'onError'> {
  readonly model: string;
  readonly revision?: string | undefined;
  readonly which?: FromPretrainedOptions['which'];
  /** A CLIP: the path of a folder, or a name of the hub. */
  readonly rank?: string | undefined;
  readonly threads?: number | undefined;
  readonly device?: DeviceName | undefined;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini serve`: serves a model until a signal ends it, and prints the address. */
export async function serve(command: ServeCommand): Promise<void> {
  const { model: source, revision, which, rank, threads, device, signal, ...options } = command;
  const bar = new ProgressBar();
  const ranker = rank === undefined ? undefined : await openRanker(rank, command, bar);
  await using model = await fromPretrained(source, {
    revision,
    which,
    ranker,
    threads,
    device,
    signal,
    // The page asks for nine images, of which eight are generated at once.
    prepare: 8,
    onProgress: (progress) => showLoading(bar, progress),
  })
    .catch(async (error: unknown) => {
      await ranker?.dispose();
      throw error;
    })
    .finally(() => bar.clear());
  await using server = await startServer(model, {
    ...options,
    onError: (error) => process.stderr.write(`dalle-mini: ${lineOf(error)}\n`),
  });
  process.stdout.write(`${server.url}\n`);
  if (!signal.aborted) await once(signal, 'abort');
  process.stderr.write('Closing, when the images that are being generated are done. Ctrl-C ends at once.\n');
}
