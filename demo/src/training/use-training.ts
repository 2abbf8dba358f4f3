import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../use-generator.js';
import { type CaptionedPicture, type Job, type Run, readRun, removeJob, writeJob } from './job.js';
import type { FromTrainer, ToTrainer } from './messages.js';

/** What the worker does; none if there is no worker. */
export type TrainingStatus = Exclude<FromTrainer, { kind: 'ended' | 'failed' }> | { readonly kind: 'stopping' };

/** Trains in a worker, and reads what it writes. One job at a time. */
export function useTraining(createWorker: () => Worker, onError: (message: string | undefined) => void) {
  const [run, setRun] = useState<Run>();
  const [status, setStatus] = useState<TrainingStatus>();
  const worker = useRef<Worker | undefined>(undefined);

  const attempt = (work: () => Promise<void>) => work().catch((error) => onError(messageOf(error)));
  const refresh = async () => setRun(await readRun());
  useEffect(() => void attempt(refresh), []);

  const end = (error?: string) => {
    worker.current?.terminate();
    worker.current = undefined;
    setStatus(undefined);
    if (error) onError(error);
    void attempt(refresh);
  };

  const hear = (message: FromTrainer) => {
    if (message.kind === 'ended') end();
    else if (message.kind === 'failed') end(message.message);
    else setStatus((status) => (status?.kind === 'stopping' ? status : message));
    if (message.kind === 'step') void attempt(refresh);
  };

  const resume = () => {
    onError(undefined);
    setStatus({ kind: 'preparing', what: 'Starting' });
    const started = createWorker();
    worker.current = started;
    started.addEventListener('message', ({ data }: MessageEvent<FromTrainer>) => hear(data));
    started.addEventListener('error', (event) => {
      event.preventDefault();
      end('Training has ended, perhaps because memory was full. Resume it to continue from the last checkpoint.');
    });
    started.postMessage('train' satisfies ToTrainer);
  };

  return {
    run,
    status,
    resume,
    start: (pictures: readonly CaptionedPicture[], times: Omit<Job, 'pictures'>) =>
      attempt(async () => {
        await writeJob(pictures, times);
        await refresh();
        resume();
      }),
    /** Ends after the current step, with a checkpoint. */
    stop() {
      setStatus({ kind: 'stopping' });
      worker.current?.postMessage('stop' satisfies ToTrainer);
    },
    remove: () =>
      attempt(async () => {
        await removeJob();
        await refresh();
      }),
  };
}
