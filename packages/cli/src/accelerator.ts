/** The commands `dalle-mini accelerator …`: plugins of XLA. */
import { execFile } from 'node:child_process';
import { XlaRuntime } from '@dalle-mini/xla';
import { findPlugins, installPlugin, type PluginName, pluginLicense } from '@dalle-mini/xla/plugins';
import { ProgressBar } from './progress-bar.js';

/** Runs `dalle-mini accelerator install`: prints the path of the library. */
export async function installAccelerator(
  name: PluginName,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const bar = new ProgressBar();
  try {
    const { path, version } = await installPlugin(name, {
      signal,
      onProgress: ({ done, total }) => bar.show(done / total, `downloading ${Math.round(total / 1e6)} MB`),
    });
    bar.clear();
    process.stderr.write(`XLA for ${name}, version ${version}. Its licence is ${pluginLicense(name)}.\n`);
    process.stdout.write(`${path}\n`);
  } finally {
    bar.clear();
  }
}

/** Runs `dalle-mini accelerator list`: prints a line for each plugin, with its devices. */
export async function listAccelerators(): Promise<void> {
  const plugins = await findPlugins();
  if (plugins.length === 0)
    process.stderr.write('No plugin of XLA was found. Install one with "dalle-mini accelerator install cpu".\n');
  for (const { path, device, name, version, source } of plugins) {
    const title = [name ?? device ?? 'unknown', version, source].filter((part) => part !== undefined).join(' ');
    process.stdout.write(`${title}: ${await devicesOf(path)}\n  ${path}\n`);
  }
}

/** Runs `dalle-mini accelerator devices`: opens a plugin, and prints its devices. */
export async function printDevices(plugin: string): Promise<void> {
  const runtime = await XlaRuntime.open({ plugin, cache: { maxBytes: 0 } });
  const counts = new Map<string, number>();
  for (const kind of runtime.devices) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const devices = [...counts].map(([kind, count]) => `${count} × ${kind}`).join(', ');
  process.stdout.write(`${devices} (PJRT ${runtime.version})\n`);
  await runtime.dispose();
}

/** Seconds within which a plugin must open its devices. It may look for minutes for some that are not there. */
const patience = 30;

/** Returns the devices of a plugin, or why it does not work. It is opened in another process, which it might end. */
function devicesOf(path: string): Promise<string> {
  const command = [process.argv[1]!, 'accelerator', 'devices', path];
  return new Promise((resolve) => {
    // A call of a plugin cannot be interrupted: SIGTERM would wait for its end.
    const limits = { timeout: 1000 * patience, killSignal: 'SIGKILL' } as const;
    execFile(process.execPath, command, limits, (error, stdout, stderr) => {
      if (error?.killed) return resolve(`does not work: it opened no device within ${patience} seconds`);
      const reason = stderr
        .trim()
        .split('\n')
        .at(-1)
        ?.replace(/^dalle-mini: /, '');
      resolve(error ? `does not work: ${reason || `it ended with ${error.signal ?? error.code}`}` : stdout.trim());
    });
  });
}
