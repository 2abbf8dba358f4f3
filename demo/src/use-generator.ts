import { useCallback, useRef, useState } from 'preact/hooks';
import {
  type Loading,
  type Model,
  ModelLostError,
  type ModelSource,
  type Picture,
  type Update,
} from './model/model.js';
import type { Request } from './request.js';

export type Status =
  | { readonly kind: 'idle' }
  | { readonly kind: 'loading'; readonly progress?: Loading }
  | { readonly kind: 'generating'; readonly update: Update };

/** The pictures of a request. Those that are not finished have only a part of their rows, or none. */
export interface Board {
  readonly request: Request;
  readonly pictures: readonly Picture[];
  /** Previews by index, and the finished share of their rows. */
  readonly previews: readonly ({ readonly url: string; readonly fraction: number } | undefined)[];
}

/** Opens the model when it is first needed, and generates pictures, one request at a time. */
export function useGenerator(source: ModelSource, onDone: (request: Request, pictures: readonly Picture[]) => void) {
  const [status, setStatus] = useState<Status>({ kind: 'idle' });
  const [model, setModel] = useState<Model>();
  const [board, setBoard] = useState<Board>();
  const [error, setError] = useState<string>();
  const opening = useRef<{ readonly model: Promise<Model>; readonly abort: AbortController }>(undefined);
  const running = useRef<AbortController>(undefined);

  const open = useCallback((): Promise<Model> => {
    if (opening.current) return opening.current.model;
    const abort = new AbortController();
    const onProgress = (progress: Loading) => {
      if (running.current) setStatus({ kind: 'loading', progress });
    };
    const opened = source.open({ signal: abort.signal, onProgress });
    opening.current = { model: opened, abort };
    opened.then(setModel, () => {
      opening.current = undefined;
    });
    return opened;
  }, [source]);

  const cancel = useCallback(() => {
    running.current?.abort();
    running.current = undefined;
    setStatus((status) => {
      if (status.kind === 'loading') opening.current?.abort.abort();
      return { kind: 'idle' };
    });
  }, []);

  const generate = useCallback(
    async (request: Request) => {
      running.current?.abort();
      const abort = new AbortController();
      running.current = abort;
      setError(undefined);
      setStatus({ kind: 'loading' });
      setBoard({ request, pictures: [], previews: [] });
      const onUpdate = (update: Update) => {
        if (abort.signal.aborted) return;
        setStatus({ kind: 'generating', update });
        setBoard((board) => board && withPreviews(board, update));
      };
      try {
        const opened = await open();
        if (abort.signal.aborted) return;
        setStatus({ kind: 'generating', update: {} });
        const pictures = await opened.generate(request, { signal: abort.signal, onUpdate });
        if (abort.signal.aborted) return;
        setBoard({ request, pictures, previews: [] });
        onDone(request, pictures);
      } catch (error) {
        if (error instanceof ModelLostError) opening.current = undefined;
        if (!abort.signal.aborted) setError(messageOf(error));
      } finally {
        if (running.current === abort) {
          running.current = undefined;
          setStatus({ kind: 'idle' });
        }
      }
    },
    [open, onDone],
  );

  return { status, model, board, error, setError, open, generate, cancel };
}

/** Adds the previews of an update. Pictures of a finished batch keep their last preview. */
function withPreviews(board: Board, { batch, previews }: Update): Board {
  if (!batch || !previews) return board;
  const all = [...board.previews];
  for (const [i, url] of previews.entries()) all[batch.firstIndex + i] = { url, fraction: batch.fraction };
  return { ...board, previews: all };
}

export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message === 'Failed to fetch'
    ? 'The network cannot be reached. Check the connection, and try again.'
    : message;
}
