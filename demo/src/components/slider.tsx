import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface SliderProps {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly value: number;
  readonly onChange: (value: number) => void;
  /** What it does. */
  readonly children: ComponentChildren;
}

export function Slider({ label, children, value, onChange, ...range }: SliderProps) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <span class="value" aria-hidden="true">
        {value}
      </span>
      <input
        id={id}
        type="range"
        aria-describedby={`${id}-hint`}
        {...range}
        value={value}
        onInput={({ currentTarget }) => onChange(currentTarget.valueAsNumber)}
      />
      <small id={`${id}-hint`}>{children}</small>
    </div>
  );
}
