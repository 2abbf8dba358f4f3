import { findPlugins } from '@dalle-mini/xla/plugins';
import { describe } from 'vitest';

/** The plugin that the tests of XLA use. Tests use no network: `dalle-mini accelerator install cpu` installs one. */
const plugin = (await findPlugins()).find(({ device, source }) => device === 'cpu' || source === 'environment');

/** The path of the plugin. Only tests of `describeXla` use it. */
export const cpuPlugin = plugin?.path ?? '';

const missing = plugin ? '' : ' (skipped: no plugin; install one with "dalle-mini accelerator install cpu")';

/** Describes tests that need a plugin for processors. They are skipped if there is none, and their name says so. */
export const describeXla = (name: string, tests: () => void): void => {
  describe.skipIf(!plugin)(`${name}${missing}`, tests);
};
