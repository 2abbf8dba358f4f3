import type { Status } from '../use-generator.js';

interface ProgressProps {
  readonly status: Status;
  readonly place: 'browser' | 'server';
  readonly isDone: boolean;
}

/** What happens now, as a bar and in words. Only what changes rarely is read aloud. */
export function Progress({ status, place, isDone }: ProgressProps) {
  const { announcement, details, fraction } = describe(status, place, isDone);
  return (
    <div class="progress">
      <p role="status">{announcement}</p>
      <p aria-hidden="true">{details}</p>
      {status.kind !== 'idle' && (
        <progress aria-label={announcement} max={1} {...(fraction !== undefined && { value: fraction })} />
      )}
    </div>
  );
}

function describe(status: Status, place: 'browser' | 'server', isDone: boolean) {
  if (status.kind === 'idle') return { announcement: isDone ? 'Done.' : '' };
  if (status.kind === 'loading') {
    const { done = 0, total = 0, secondsLeft } = status.progress ?? {};
    const announcement = place === 'browser' && total > 0 ? 'Downloading the model' : 'Opening the model';
    if (total === 0 || done === total) return { announcement };
    const left = secondsLeft === undefined ? '' : `, ${Math.ceil(secondsLeft)} s left`;
    return { announcement, fraction: done / total, details: `${megabytes(done)} of ${megabytes(total)} MB${left}` };
  }
  const { ahead, fraction = 0 } = status.update;
  if (ahead !== undefined)
    return { announcement: `${ahead === 1 ? 'One request is' : `${ahead} requests are`} ahead of yours` };
  return { announcement: 'Generating', fraction, details: `${Math.round(100 * fraction)} %` };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
