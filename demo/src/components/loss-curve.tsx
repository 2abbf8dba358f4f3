import type { Run } from '../training/job.js';

const width = 100;
const height = 40;

/** The loss of each step, over all steps of the job. */
export function LossCurve({ losses, steps }: { losses: Run['losses']; steps: number }) {
  const values = losses.map(({ loss }) => loss);
  const lowest = Math.min(...values);
  const range = Math.max(...values) - lowest || 1;
  const points = losses.map(({ step, loss }) => `${(width * step) / steps},${height * (1 - (loss - lowest) / range)}`);
  const words = `Loss: ${values[0]!.toFixed(3)} at step ${losses[0]!.step}, ${values.at(-1)!.toFixed(3)} at step ${losses.at(-1)!.step}`;
  return (
    <figure class="loss">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label="Curve of the loss">
        <polyline points={points.join(' ')} vector-effect="non-scaling-stroke" />
      </svg>
      <figcaption>{words}</figcaption>
    </figure>
  );
}
