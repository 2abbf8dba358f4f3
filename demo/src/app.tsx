import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { ErrorMessage } from './components/error-message.js';
import { FirstUse } from './components/first-use.js';
import { History, type HistoryEntry, remember } from './components/history.js';
import { PictureDialog } from './components/picture-dialog.js';
import { PictureGrid } from './components/picture-grid.js';
import { Progress } from './components/progress.js';
import { PromptForm } from './components/prompt-form.js';
import { ThemeButton } from './components/theme-button.js';
import { TokenEditor } from './components/token-editor.js';
import { Trainer } from './components/trainer.js';
import type { ModelFacts, ModelSource, Picture } from './model/model.js';
import { fromFragment, type Request, randomSeed, toFragment } from './request.js';
import { load, store } from './storage.js';
import { useGenerator } from './use-generator.js';

/** The name of the note that the model has been downloaded. */
const downloaded = 'downloaded';

const tabNames = { create: 'Create', tokens: 'Tokens', train: 'Train' };

type Tab = keyof typeof tabNames;

function defaultRequest({ sampling, vocabularySize, maxImages }: ModelFacts): Request {
  const { temperature = 1, topK = vocabularySize, topP = 1, guidanceScale = 1 } = sampling;
  const n = Math.min(9, maxImages);
  return { temperature, topK, topP, guidanceScale, n, prompt: '', negativePrompt: '', seed: randomSeed() };
}

/** Replaces the defaults that a request was begun with by those of the model that has been opened. */
function withDefaults(request: Request, begun: Request, opened: Request): Request {
  const names = ['temperature', 'topK', 'topP', 'guidanceScale', 'n'] as const;
  const replaced = names.filter((name) => request[name] === begun[name]);
  return { ...request, ...Object.fromEntries(replaced.map((name) => [name, opened[name]])) };
}

export function App({ source }: { source: ModelSource }) {
  const [tab, setTab] = useState<Tab>('create');
  const [history, setHistory] = useState<readonly HistoryEntry[]>(() => load('history', []));
  const [hasDownloaded, setHasDownloaded] = useState(() => source.bytes === 0 || load(downloaded, false));
  const [opened, setOpened] = useState<number>();
  const [edited, setEdited] = useState<Picture>();
  const onDone = useCallback(async (request: Request, pictures: readonly Picture[]) => {
    store(downloaded, true);
    setHasDownloaded(true);
    setHistory(await remember(request, pictures));
  }, []);
  const generator = useGenerator(source, onDone);
  const { status, model, board, error, open, generate, cancel } = generator;
  const facts = model?.facts ?? source.facts;
  const linked = useMemo(() => fromFragment(location.hash, defaultRequest(source.facts)), [source]);
  const [request, setRequest] = useState(() => linked?.request ?? defaultRequest(source.facts));

  useEffect(() => {
    if (model && !linked)
      setRequest((current) => withDefaults(current, defaultRequest(source.facts), defaultRequest(model.facts)));
  }, [model]);

  // A model that is on this computer, or on a server, opens before it is needed.
  useEffect(() => {
    if (!hasDownloaded) return;
    if (linked) void draw(linked.request).then(() => setOpened(linked.index));
    else open().catch((reason) => generator.setError(String(reason.message)));
  }, []);

  useEffect(() => {
    const stop = ({ key }: KeyboardEvent) => {
      if (key === 'Escape' && status.kind !== 'idle') cancel();
    };
    addEventListener('keydown', stop);
    return () => removeEventListener('keydown', stop);
  }, [status.kind, cancel]);

  async function draw(wanted: Request): Promise<void> {
    setTab('create');
    setOpened(undefined);
    setRequest(wanted);
    window.history.replaceState(null, '', toFragment(wanted));
    await generate(wanted);
  }

  const showTokens = (picture: Picture) => {
    setOpened(undefined);
    setEdited(picture);
    setTab('tokens');
  };

  const tabs: readonly Tab[] = source.createTrainer ? ['create', 'tokens', 'train'] : ['create', 'tokens'];
  const picture = opened === undefined ? undefined : board?.pictures.find(({ index }) => index === opened);
  return (
    <>
      <header class="top">
        <h1>
          <img src="./icon.svg" alt="" width="36" height="36" />
          DALL·E Mini
        </h1>
        <nav aria-label="Views">
          {tabs.map((name) => (
            <button
              key={name}
              type="button"
              aria-current={tab === name ? 'page' : undefined}
              onClick={() => setTab(name)}
            >
              {tabNames[name]}
            </button>
          ))}
        </nav>
        <ThemeButton />
      </header>
      <main>
        {error && <ErrorMessage message={error} onClose={() => generator.setError(undefined)} />}
        <div class="studio" hidden={tab !== 'create'}>
          <section class="controls" aria-label="What to generate">
            <PromptForm
              request={request}
              facts={facts}
              isRunning={status.kind !== 'idle'}
              isFirst={!hasDownloaded}
              onChange={setRequest}
              onGenerate={draw}
              onCancel={cancel}
            />
          </section>
          <section class="result" aria-label="Pictures">
            <Progress status={status} place={source.place} isDone={board !== undefined && board.pictures.length > 0} />
            {board || hasDownloaded ? (
              <PictureGrid
                board={board}
                n={board?.request.n ?? request.n}
                isRunning={status.kind !== 'idle'}
                onOpen={setOpened}
              />
            ) : (
              <FirstUse bytes={source.bytes} />
            )}
            {board && board.pictures.length > 0 && <Caption request={board.request} picture={board.pictures[0]} />}
            <History entries={history} onChoose={draw} onClear={() => setHistory([])} />
          </section>
        </div>
        {tab === 'tokens' && (
          <TokenEditor key={edited?.url} open={open} facts={facts} picture={edited} onError={generator.setError} />
        )}
        {source.createTrainer && (
          <div class="studio" hidden={tab !== 'train'}>
            <Trainer createWorker={source.createTrainer} onError={generator.setError} />
          </div>
        )}
      </main>
      <footer>
        {source.place === 'browser'
          ? 'The model runs in this browser. What you write stays on this computer.'
          : 'The model runs on the server of this page.'}{' '}
        <a href="https://github.com/dalle-mini/dalle-mini-ts">Source and documentation</a>
      </footer>
      {picture && board && (
        <PictureDialog
          picture={picture}
          request={board.request}
          onClose={() => setOpened(undefined)}
          onTokens={() => showTokens(picture)}
        />
      )}
    </>
  );
}

function Caption({ request, picture }: { request: Request; picture: Picture | undefined }) {
  return (
    <p class="caption">
      “{request.prompt}”, seed {request.seed}. Choose a picture to keep or share it.
      {picture?.warnings.map(({ message }) => (
        <span key={message} class="warning">
          {message}
        </span>
      ))}
    </p>
  );
}
