/** The course of a training in several runs, each of which can be stopped and resumes. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorData } from '@dalle-mini/graph';
import type { TrainingProgress } from '@dalle-mini/train';
import { loadParameters, saveParameters } from './parameters-file.js';

export interface Course {
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Prints a line with the time since the start. */
  say(text: string): void;
  /** Trains parameters, or reads them if an earlier run has written them to the folder. */
  trained(
    name: string,
    train: (progress: {
      readonly onProgress: (progress: TrainingProgress) => void;
    }) => Promise<Map<string, TensorData>>,
  ): Promise<Map<string, TensorData>>;
}

/** Begins or resumes a training whose results are written to a folder. */
export function course(folder: string): Course {
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort(new Error('Training was stopped. Run it again to resume.')));
  process.once('uncaughtException', (error) => {
    console.error(abort.signal.aborted ? error.message : error);
    process.exit(abort.signal.aborted ? 130 : 1);
  });
  const startedAt = Date.now();
  const say = (text: string) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(6)} s  ${text}`);
  const report = (name: string) => (progress: TrainingProgress) => {
    const { done, total, rate, secondsLeft, loss } = progress;
    if (done % 100 !== 0) return;
    const minutes = (secondsLeft / 60).toFixed(0);
    say(`${name} ${done}/${total}  loss ${loss.toFixed(4)}  ${rate.toFixed(2)} steps/s  ${minutes} min left`);
  };
  return {
    signal: abort.signal,
    say,
    async trained(name, train) {
      const path = join(folder, `${name}.safetensors`);
      const isThere = await access(path).then(
        () => true,
        () => false,
      );
      if (isThere) {
        say(`${path} is there`);
        return loadParameters(path);
      }
      say(`training ${name}`);
      const parameters = await train({ onProgress: report(name) });
      await saveParameters(path, parameters);
      return parameters;
    },
  };
}
