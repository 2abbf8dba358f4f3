import { XlaError } from '../error.js';
import type { Device } from './catalog.js';
import { findPlugins } from './find.js';

/**
 * Returns the path of the plugin for a device.
 * @throws XlaError if there is none.
 */
export async function pluginFor(device: Device | undefined): Promise<string> {
  const plugins = await findPlugins();
  const found =
    plugins.find((plugin) => plugin.source === 'environment') ??
    plugins.find((plugin) => plugin.device === (device ?? 'cpu'));
  if (found) return found.path;
  const name = device === 'cuda' ? 'cuda12' : (device ?? 'cpu');
  throw new XlaError(
    `There is no plugin of XLA for ${device ?? 'cpu'} on this computer. Run "dalle-mini accelerator install ${name}", or set PJRT_PLUGIN_LIBRARY_PATH.`,
  );
}
