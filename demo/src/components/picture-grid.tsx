import type { Board } from '../use-generator.js';

interface PictureGridProps {
  readonly board: Board | undefined;
  /** Number of pictures. */
  readonly n: number;
  readonly isRunning: boolean;
  readonly onOpen: (index: number) => void;
}

/** Pictures in a square, whose rows appear as they are generated. */
export function PictureGrid({ board, n, isRunning, onOpen }: PictureGridProps) {
  return (
    <ul class={`grid columns-${Math.ceil(Math.sqrt(n))}`} aria-busy={isRunning}>
      {Array.from({ length: n }, (_, place) => (
        <li key={place}>
          <Tile board={board} place={place} isRunning={isRunning} onOpen={onOpen} />
        </li>
      ))}
    </ul>
  );
}

interface TileProps extends Omit<PictureGridProps, 'n'> {
  readonly place: number;
}

function Tile({ board, place, isRunning, onOpen }: TileProps) {
  const picture = board?.pictures[place];
  if (picture) {
    const { index, url, score } = picture;
    const name = `Picture ${place + 1}: ${board.request.prompt}`;
    return (
      <button type="button" class="tile" aria-label={`Open picture ${place + 1}`} onClick={() => onOpen(index)}>
        <img src={url} alt={name} />
        {score !== undefined && <span class="score">{score.toFixed(1)}</span>}
      </button>
    );
  }
  const preview = board?.previews[place];
  return (
    <div class={`tile ${isRunning ? 'waiting' : 'empty'}`}>
      {preview && (
        <img src={preview.url} alt="" style={{ clipPath: `inset(0 0 ${100 * (1 - preview.fraction)}% 0)` }} />
      )}
    </div>
  );
}
