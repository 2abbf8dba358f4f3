import { useEffect, useState } from 'preact/hooks';
import { load, store } from '../storage.js';

type Theme = 'light' | 'dark';

/** Switches between light and dark. The first choice is the system's. */
export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(() =>
    load('theme', matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'),
  );
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const other = theme === 'dark' ? 'light' : 'dark';
  const change = () => {
    store('theme', other);
    setTheme(other);
  };
  return (
    <button type="button" class="quiet round" aria-label={`Change to ${other} colours`} onClick={change}>
      {theme === 'dark' ? '☀' : '☾'}
    </button>
  );
}
