import { useEffect, useState } from 'preact/hooks';
import { download, readSquare } from '../images.js';
import { type CaptionedPicture, type Job, type Run, samplePrompts } from '../training/job.js';
import { type TrainingStatus, useTraining } from '../training/use-training.js';
import { LossCurve } from './loss-curve.js';

interface TrainerProps {
  readonly createWorker: () => Worker;
  readonly onError: (message: string | undefined) => void;
}

/** Fine-tunes the bundled model on pictures of a person. */
export function Trainer({ createWorker, onError }: TrainerProps) {
  const { run, status, start, resume, stop, remove } = useTraining(createWorker, onError);
  return (
    <>
      <section class="controls" aria-label="What to train on">
        {run ? (
          <div class="job">
            <h2>
              Pictures: {run.job.pictures.length}, steps: {run.job.steps}
            </h2>
            <p>{run.job.pictures.map(({ caption }) => caption).join(', ')}</p>
            <RunButtons run={run} status={status} onResume={resume} onStop={stop} onRemove={remove} />
          </div>
        ) : (
          <JobForm onStart={start} onError={onError} />
        )}
      </section>
      <section class="result" aria-label="Training">
        {run ? <RunView run={run} status={status} /> : <Introduction />}
      </section>
    </>
  );
}

function Introduction() {
  return (
    <div class="introduction">
      <h2>Teach the model your pictures</h2>
      <p>
        The bundled model learns from pictures of yours, in this browser. They are not sent anywhere. Each is cropped to
        its middle square, and scaled to 128 × 128 pixels.
      </p>
      <ul>
        <li>
          <strong>It takes minutes:</strong> about two for 100 steps on a computer with two cores. The page tells how
          much time is left.
        </li>
        <li>Leave this page open while it trains. After a reload, it resumes from the last checkpoint.</li>
        <li>It keeps about 230 MB in this browser until you remove it. Phones were not tried.</li>
        <li>At the end you can download the model, and use it in Node.js or on a website.</li>
      </ul>
    </div>
  );
}

interface JobFormProps {
  readonly onStart: (pictures: readonly CaptionedPicture[], times: Omit<Job, 'pictures'>) => void;
  readonly onError: (message: string | undefined) => void;
}

function JobForm({ onStart, onError }: JobFormProps) {
  const [pictures, setPictures] = useState<readonly CaptionedPicture[]>([]);
  const [steps, setSteps] = useState(100);
  const [samplesEvery, setSamplesEvery] = useState(20);
  const add = async (files: Iterable<File>) => {
    onError(undefined);
    for (const file of files) {
      const caption = file.name.replace(/\.\w+$/, '');
      await readSquare(file, 1).then(
        () => setPictures((pictures) => [...pictures, { file, caption }]),
        ({ message }) => onError(`${file.name}: ${message}`),
      );
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    onStart(pictures, { steps, samplesEvery });
  };
  return (
    <form
      onSubmit={submit}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        // The browser empties the list after the event.
        void add([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <label class="file">
        <span>Pictures to learn from</span>
        <input
          type="file"
          accept="image/*"
          multiple
          onChange={({ currentTarget }) => add([...(currentTarget.files ?? [])]).then(() => (currentTarget.value = ''))}
        />
        <small>Choose them, or drop them here. A file is named after what it shows.</small>
      </label>
      <ul class="captions" aria-label="Captions">
        {pictures.map((picture, i) => (
          <CaptionRow
            key={`${i} ${picture.file.name}`}
            place={i + 1}
            picture={picture}
            onChange={(caption) => setPictures(pictures.with(i, { ...picture, caption }))}
            onRemove={() => setPictures(pictures.toSpliced(i, 1))}
          />
        ))}
      </ul>
      <div class="row">
        <NumberField label="Steps" max={10_000} value={steps} onChange={setSteps} />
        <NumberField label="Steps between samples" max={1000} value={samplesEvery} onChange={setSamplesEvery} />
      </div>
      <button type="submit" class="main" disabled={pictures.length === 0}>
        Train
      </button>
    </form>
  );
}

interface CaptionRowProps {
  readonly place: number;
  readonly picture: CaptionedPicture;
  readonly onChange: (caption: string) => void;
  readonly onRemove: () => void;
}

function CaptionRow({ place, picture: { file, caption }, onChange, onRemove }: CaptionRowProps) {
  return (
    <li class="row">
      <BlobImage blob={file} alt="" />
      <input
        type="text"
        required
        maxLength={200}
        aria-label={`Caption of picture ${place}`}
        value={caption}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <button type="button" class="quiet dice" aria-label={`Remove picture ${place}`} onClick={onRemove}>
        <span aria-hidden="true">×</span>
      </button>
    </li>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly max: number;
  readonly value: number;
  readonly onChange: (value: number) => void;
}

function NumberField({ label, value, max, onChange }: NumberFieldProps) {
  return (
    <label>
      <span>{label}</span>
      <input
        type="number"
        min={1}
        max={max}
        step={1}
        required
        value={value}
        onInput={({ currentTarget }) => onChange(currentTarget.valueAsNumber)}
      />
    </label>
  );
}

interface RunButtonsProps {
  readonly run: Run;
  readonly status: TrainingStatus | undefined;
  readonly onResume: () => void;
  readonly onStop: () => void;
  readonly onRemove: () => void;
}

function RunButtons({ run: { archive }, status, onResume, onStop, onRemove }: RunButtonsProps) {
  if (status)
    return (
      <button type="button" class="main stop" disabled={status.kind === 'stopping'} onClick={onStop}>
        Stop training
      </button>
    );
  return (
    <div class="actions">
      {archive ? (
        <button type="button" class="main" onClick={() => downloadBlob(archive, 'my-model.zip')}>
          Download the model
        </button>
      ) : (
        <button type="button" class="main" onClick={onResume}>
          Resume training
        </button>
      )}
      <button type="button" class="quiet" onClick={onRemove}>
        {archive ? 'Remove it, and train anew' : 'Remove it'}
      </button>
    </div>
  );
}

function RunView({ run, status }: { run: Run; status: TrainingStatus | undefined }) {
  const { job, losses, samples } = run;
  const { announcement, details, fraction } = describe(run, status);
  return (
    <>
      <div class="progress">
        <p role="status">{announcement}</p>
        <p aria-hidden="true">{details}</p>
        {status && <progress aria-label={announcement} max={1} {...(fraction !== undefined && { value: fraction })} />}
      </div>
      {losses.length > 0 && <LossCurve losses={losses} steps={job.steps} />}
      {samples && (
        <figure class="samples">
          <BlobImage key={samples.step} blob={samples.sheet} alt={`Samples after step ${samples.step}`} />
          <figcaption>
            After step {samples.step}: {[...new Set(samplePrompts(job))].join(', ')}
          </figcaption>
        </figure>
      )}
    </>
  );
}

function describe({ job, losses, archive }: Run, status: TrainingStatus | undefined) {
  if (!status) {
    if (archive) return { announcement: 'The model is trained.' };
    return { announcement: `Stopped at step ${losses.at(-1)?.step ?? 0} of ${job.steps}.` };
  }
  if (status.kind === 'stopping') return { announcement: 'Stopping after this step' };
  if (status.kind === 'preparing') return { announcement: status.what, fraction: status.fraction };
  const { done, total, secondsLeft } = status;
  const left = secondsLeft < 90 ? `${Math.ceil(secondsLeft)} s` : `${Math.ceil(secondsLeft / 60)} minutes`;
  return { announcement: 'Training', fraction: done / total, details: `step ${done} of ${total}, ${left} left` };
}

/** An image of a file. */
function BlobImage({ blob, alt }: { blob: Blob; alt: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, []);
  return <img src={url} alt={alt} />;
}

function downloadBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  download(url, name);
  // The download begins after this task.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
