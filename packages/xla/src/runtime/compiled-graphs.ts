/** A cache of compiled graphs in a folder. XLA takes seconds to minutes to compile a graph, and a fraction of that to load it again. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import type { StableHloModule } from '@dalle-mini/graph/stablehlo';
import type { PjrtClient, PjrtExecutable } from '../pjrt/client.js';

/** A folder for compiled graphs. */
export interface CompiledGraphCache {
  readonly folder: string;
  /** Maximum total size. If it is exceeded, the least recently used graphs are deleted. 0 turns the cache off. */
  readonly maxBytes: number;
}

const digestBytes = 32;
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/**
 * Compiles a module, or loads it from the cache. If the cache cannot be read or written, the module is compiled without it.
 */
export async function compileCached(
  client: PjrtClient,
  module: StableHloModule,
  { folder, maxBytes }: CompiledGraphCache,
): Promise<PjrtExecutable> {
  if (maxBytes === 0) return client.compile(module);
  const surroundings = [await machine(), await pluginOf(client), client.deviceKinds.join(), module.devices];
  const key = createHash('sha256').update(surroundings.join('\n')).update(module.text).digest('hex').slice(0, 32);
  const path = join(folder, key);
  const kept = await readKept(path);
  if (kept) {
    try {
      return await client.deserialize(kept, module);
    } catch {
      await rm(path, { force: true }).catch(() => undefined);
    }
  }
  const executable = await client.compile(module);
  try {
    const bytes = executable.serialize();
    if (bytes.length + digestBytes <= maxBytes) {
      await makeFolder(folder);
      await writeFileAtomically(path, [digestOf(bytes), bytes]);
      await prune(folder, maxBytes);
    }
  } catch {
    // The graph is compiled; the next process compiles it again.
  }
  return executable;
}

/** Returns the bytes of a cached graph. Damaged ones, which could crash XLA, are left out. */
async function readKept(path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await readFile(path);
    const [digest, bytes] = [file.subarray(0, digestBytes), file.subarray(digestBytes)];
    if (!digest.equals(digestOf(bytes))) return undefined;
    const now = new Date();
    await utimes(path, now, now);
    return bytes;
  } catch {
    return undefined;
  }
}

/** Returns what identifies the plugin: the versions that it states may stay the same when its library is replaced. */
async function pluginOf({ library, platform, platformVersion }: PjrtClient): Promise<string> {
  const { size, mtimeMs } = await stat(library.path);
  return [platform, platformVersion, library.version, library.path, size, mtimeMs].join('\n');
}

/** Returns a description of this machine: compiled graphs have instructions that other processors may lack. */
async function machine(): Promise<string> {
  // On virtual machines, different processors may have the same name.
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const lines = info.split('\n\n')[0]!.match(/^(model|cpu family|flags|Features|CPU part)\s*:.*$/gm) ?? [];
  return [process.platform, process.arch, cpus()[0]?.model, cpus().length, process.env.XLA_FLAGS, ...lines].join('\n');
}

/** Deletes the least recently used graphs. */
async function prune(folder: string, maxBytes: number): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name));
      return { path: join(folder, name), size, mtimeMs };
    }),
  );
  let bytes = 0;
  for (const { path, size } of files.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    bytes += size;
    if (bytes > maxBytes) await rm(path, { force: true });
  }
}
