import type { ModelFacts } from '../model/model.js';
import { type Request, randomSeed } from '../request.js';
import { Slider } from './slider.js';

const examples = [
  'a red apple',
  'a smiling face',
  'a blue heart',
  'a slice of pizza',
  'a rocket',
  'a green frog',
  'a car, twemoji style',
];

interface PromptFormProps {
  readonly request: Request;
  readonly facts: ModelFacts;
  readonly isRunning: boolean;
  /** Whether the model has to be downloaded first. */
  readonly isFirst: boolean;
  readonly onChange: (request: Request) => void;
  readonly onGenerate: (request: Request) => void;
  readonly onCancel: () => void;
}

export function PromptForm({ request, facts, isRunning, isFirst, onChange, onGenerate, onCancel }: PromptFormProps) {
  const change = (part: Partial<Request>) => onChange({ ...request, ...part });
  const submit = (event: Event) => {
    event.preventDefault();
    if (request.prompt.trim()) onGenerate(request);
  };
  return (
    <form onSubmit={submit}>
      <label class="prompt">
        <span>What do you want to see?</span>
        <input
          type="text"
          name="prompt"
          placeholder="a red apple"
          maxLength={500}
          autocomplete="off"
          enterkeyhint="go"
          value={request.prompt}
          onInput={({ currentTarget }) => change({ prompt: currentTarget.value })}
        />
      </label>
      <ul class="examples" aria-label="Examples">
        {examples.map((prompt) => (
          <li key={prompt}>
            <button type="button" onClick={() => onGenerate({ ...request, prompt, seed: randomSeed() })}>
              {prompt}
            </button>
          </li>
        ))}
      </ul>
      <div class="row">
        <label class="seed">
          <span>Seed</span>
          <input
            type="number"
            name="seed"
            min={0}
            max={Number.MAX_SAFE_INTEGER}
            step={1}
            required
            value={request.seed}
            onInput={({ currentTarget }) => change({ seed: currentTarget.valueAsNumber })}
          />
        </label>
        <button
          type="button"
          class="quiet dice"
          aria-label="Another seed"
          onClick={() => change({ seed: randomSeed() })}
        >
          <span aria-hidden="true">⚄</span>
        </button>
      </div>
      {/* Two elements: one that became a submit button within its click would submit. */}
      {isRunning ? (
        <button key="stop" type="button" class="main stop" onClick={onCancel}>
          Stop
        </button>
      ) : (
        <button key="generate" type="submit" class="main" disabled={request.prompt.trim() === ''}>
          {isFirst ? 'Download and generate' : 'Generate'}
        </button>
      )}
      <Settings request={request} facts={facts} change={change} />
    </form>
  );
}

interface SettingsProps extends Pick<PromptFormProps, 'request' | 'facts'> {
  readonly change: (part: Partial<Request>) => void;
}

function Settings({ request, facts, change }: SettingsProps) {
  const slider = (name: 'guidanceScale' | 'temperature' | 'topK' | 'topP') => ({
    value: request[name],
    onChange: (value: number) => change({ [name]: value }),
  });
  const counts = [1, 4, 9].filter((count) => count <= facts.maxImages);
  return (
    <details class="settings">
      <summary>Settings</summary>
      <fieldset class="counts">
        <legend>Pictures</legend>
        {counts.map((count) => (
          <label key={count}>
            <input type="radio" name="n" checked={request.n === count} onChange={() => change({ n: count })} />
            {count}
          </label>
        ))}
      </fieldset>
      <label class="negative">
        <span>Not in the picture</span>
        <input
          type="text"
          name="negative-prompt"
          maxLength={500}
          autocomplete="off"
          value={request.negativePrompt}
          onInput={({ currentTarget }) => change({ negativePrompt: currentTarget.value })}
        />
        <small>The negative prompt. It works with a guidance other than 1.</small>
      </label>
      <Slider label="Guidance" min={1} max={8} step={0.1} {...slider('guidanceScale')}>
        How closely the pictures follow the words. 1 is quickest and freest; high values exaggerate.
      </Slider>
      <Slider label="Temperature" min={0} max={2} step={0.05} {...slider('temperature')}>
        Low: typical pictures that are alike. High: varied and stranger ones. 0 always takes the likeliest token.
      </Slider>
      <Slider label="Top-k" min={1} max={Math.min(1024, facts.vocabularySize)} step={1} {...slider('topK')}>
        Each token is one of this many likeliest. Fewer are safer, more are more varied.
      </Slider>
      <Slider label="Top-p" min={0.05} max={1} step={0.05} {...slider('topP')}>
        Each token is one of the likeliest that together have this probability. 1 leaves all in.
      </Slider>
      <p class="hint">
        {facts.isRanked
          ? 'CLIP compares the pictures with your words, and sorts them: the best comes first.'
          : 'The pictures are not sorted: CLIP, which compares them with your words, needs 600 MB. A server sorts them: dalle-mini serve --rank.'}
      </p>
    </details>
  );
}
