import { useEffect, useRef, useState } from 'preact/hooks';
import { download, fileName, readSquare } from '../images.js';
import type { Model, ModelFacts, Picture } from '../model/model.js';
import { messageOf } from '../use-generator.js';

/** Most codes of the palette: those that the picture has most often. */
const paletteSize = 16;

interface TokenEditorProps {
  readonly open: () => Promise<Model>;
  readonly facts: ModelFacts;
  /** The picture whose tokens are shown first. */
  readonly picture: Picture | undefined;
  readonly onError: (message: string) => void;
}

/** Shows a picture as the grid of tokens that it is made of. Each can be replaced. */
export function TokenEditor({ open, facts, picture, onError }: TokenEditorProps) {
  const { gridSize, vocabularySize, imageSize } = facts;
  const [original, setOriginal] = useState(picture?.tokens);
  const [tokens, setTokens] = useState(picture?.tokens);
  const [url, setUrl] = useState(picture?.url);
  const [selected, setSelected] = useState(0);
  const latest = useRef(0);

  const attempt = (work: Promise<void>) => work.catch((error) => onError(messageOf(error)));

  const show = async (grid: readonly number[]): Promise<void> => {
    setTokens(grid);
    const number = ++latest.current;
    const [decoded] = await (await open()).decode([grid]);
    // Another change may have come meanwhile.
    if (number === latest.current) setUrl(decoded);
  };

  const replace = (code: number) => {
    if (!tokens || !Number.isInteger(code) || code < 0 || code >= vocabularySize) return;
    void attempt(show(tokens.map((token, i) => (i === selected ? code : token))));
  };

  const openFile = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    const grid = await (await open()).encode(await readSquare(file, imageSize));
    setOriginal(grid);
    await show(grid);
  };

  return (
    <div class="tokens">
      <section aria-label="The picture">
        {tokens && url ? (
          <TokenGrid
            tokens={tokens}
            original={original ?? tokens}
            url={url}
            gridSize={gridSize}
            selected={selected}
            onSelect={setSelected}
          />
        ) : (
          <div class="drop">
            <p>Open a picture, or generate one and choose “Look at its tokens”.</p>
          </div>
        )}
      </section>
      <section class="controls" aria-label="Its tokens">
        <h2>A picture in {gridSize ** 2} tokens</h2>
        <p>
          The model does not draw pixels. It writes {gridSize} × {gridSize} tokens, each one of {vocabularySize} codes
          that a VQ-GAN has learned, and the VQ-GAN turns them into pixels. Choose a token, and replace it.
        </p>
        <label class="file">
          <span>Your own picture</span>
          <input
            type="file"
            accept="image/*"
            onChange={({ currentTarget }) => attempt(openFile(currentTarget.files?.[0]))}
          />
        </label>
        {tokens && (
          <>
            <div class="row">
              <label>
                <span>
                  Code of the token in row {Math.floor(selected / gridSize) + 1}, column {(selected % gridSize) + 1}
                </span>
                <input
                  type="number"
                  name="code"
                  min={0}
                  max={vocabularySize - 1}
                  value={tokens[selected]}
                  onInput={({ currentTarget }) => replace(currentTarget.valueAsNumber)}
                />
              </label>
              <button
                type="button"
                class="quiet dice"
                aria-label="A random code"
                onClick={() => replace(Math.floor(Math.random() * vocabularySize))}
              >
                <span aria-hidden="true">⚄</span>
              </button>
            </div>
            <Palette
              open={open}
              tokens={original ?? tokens}
              current={tokens[selected]!}
              onChoose={replace}
              onError={onError}
            />
            <div class="actions">
              <button type="button" disabled={tokens === original} onClick={() => original && attempt(show(original))}>
                Undo all
              </button>
              <button
                type="button"
                disabled={!url}
                onClick={() => url && download(url, fileName('tokens', tokens[0]!))}
              >
                Download
              </button>
            </div>
          </>
        )}
      </section>
    </div>
  );
}

interface TokenGridProps {
  readonly tokens: readonly number[];
  readonly original: readonly number[];
  readonly url: string;
  readonly gridSize: number;
  readonly selected: number;
  readonly onSelect: (place: number) => void;
}

/** A grid of buttons over the picture. Arrow keys move between them. */
function TokenGrid({ tokens, original, url, gridSize, selected, onSelect }: TokenGridProps) {
  const grid = useRef<HTMLDivElement>(null);
  const moves: Readonly<Record<string, number>> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -gridSize,
    ArrowDown: gridSize,
  };
  const move = (event: KeyboardEvent) => {
    const place = selected + (moves[event.key] ?? Number.NaN);
    if (!(place >= 0 && place < tokens.length)) return;
    event.preventDefault();
    onSelect(place);
    grid.current?.querySelectorAll('button')[place]?.focus();
  };
  const rows = Array.from({ length: gridSize }, (_, row) => row);
  return (
    <div class="token-picture">
      <img src={url} alt="What these tokens show" />
      {/* biome-ignore lint/a11y/useSemanticElements: a grid of controls is not a table. */}
      <div ref={grid} class="token-grid" role="grid" aria-label="Tokens" onKeyDown={move} tabIndex={-1}>
        {rows.map((row) => (
          // biome-ignore lint/a11y/useFocusableInteractive: its cells have buttons.
          // biome-ignore lint/a11y/useSemanticElements: a grid of controls is not a table.
          <div key={row} role="row">
            {tokens.slice(row * gridSize, (row + 1) * gridSize).map((token, column) => {
              const place = row * gridSize + column;
              return (
                // biome-ignore lint/a11y/useFocusableInteractive: the button in it is.
                // biome-ignore lint/a11y/useSemanticElements: a grid of controls is not a table.
                <div key={place} role="gridcell" aria-selected={place === selected}>
                  <button
                    type="button"
                    class={token === original[place] ? '' : 'changed'}
                    tabIndex={place === selected ? 0 : -1}
                    aria-label={`Row ${row + 1}, column ${column + 1}: code ${token}`}
                    title={`Code ${token}`}
                    onClick={() => onSelect(place)}
                  />
                </div>
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}

interface PaletteProps {
  readonly open: () => Promise<Model>;
  readonly tokens: readonly number[];
  readonly current: number;
  readonly onChoose: (code: number) => void;
  readonly onError: (message: string) => void;
}

/** The most frequent codes of a picture, each as a picture that has no other. */
function Palette({ open, tokens, current, onChoose, onError }: PaletteProps) {
  const [codes, setCodes] = useState<readonly { readonly code: number; readonly url: string }[]>([]);
  useEffect(() => {
    let isCurrent = true;
    const work = async () => {
      const frequent = mostFrequent(tokens).slice(0, paletteSize);
      const urls = await (await open()).decode(frequent.map((code) => tokens.map(() => code)));
      if (isCurrent) setCodes(frequent.map((code, i) => ({ code, url: urls[i]! })));
    };
    work().catch((error) => onError(messageOf(error)));
    return () => {
      isCurrent = false;
    };
  }, [tokens]);
  return (
    <fieldset class="palette">
      <legend>Codes of this picture</legend>
      {codes.map(({ code, url }) => (
        <button key={code} type="button" aria-pressed={code === current} onClick={() => onChoose(code)}>
          <img src={url} alt="" />
          <span>{code}</span>
        </button>
      ))}
    </fieldset>
  );
}

function mostFrequent(tokens: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([token]) => token);
}
