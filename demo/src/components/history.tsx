import { urlOfSheet } from '../images.js';
import type { Picture } from '../model/model.js';
import type { Request } from '../request.js';
import { load, store } from '../storage.js';

/** A request, and a small sheet of its pictures. The pictures themselves are generated again. */
export interface HistoryEntry {
  readonly request: Request;
  readonly thumbnail: string;
}

const length = 12;

/** Pixels of each picture of a thumbnail. */
const thumbnailSize = 32;

/** Adds a request to the history. */
export async function remember(request: Request, pictures: readonly Picture[]): Promise<readonly HistoryEntry[]> {
  const columns = Math.ceil(Math.sqrt(pictures.length));
  const thumbnail = await urlOfSheet(
    pictures.map(({ url }) => url),
    columns,
    thumbnailSize,
  );
  const text = JSON.stringify(request);
  const others = load<readonly HistoryEntry[]>('history', []).filter((entry) => JSON.stringify(entry.request) !== text);
  const entries = [{ request, thumbnail }, ...others].slice(0, length);
  store('history', entries);
  return entries;
}

interface HistoryProps {
  readonly entries: readonly HistoryEntry[];
  readonly onChoose: (request: Request) => void;
  readonly onClear: () => void;
}

export function History({ entries, onChoose, onClear }: HistoryProps) {
  if (entries.length === 0) return null;
  const clear = () => {
    store('history', []);
    onClear();
  };
  return (
    <section class="history" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      <button type="button" class="quiet" onClick={clear}>
        Clear
      </button>
      <ul>
        {entries.map(({ request, thumbnail }) => (
          <li key={JSON.stringify(request)}>
            <button type="button" onClick={() => onChoose(request)}>
              <img src={thumbnail} alt="" />
              <span>{request.prompt}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
