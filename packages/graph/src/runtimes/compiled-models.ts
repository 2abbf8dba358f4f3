/** A cache of models that ONNX Runtime has optimized for this machine. It maps their files into memory instead of optimizing again. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type * as ort from 'onnxruntime-node';
import { type ExternalValues, type OnnxBuild, withSession } from './onnxruntime-builds.js';

/** A folder for compiled models. */
export interface CompiledModelCache {
  readonly folder: string;
  /** Maximum total size. If it is exceeded, the least recently used models are deleted. The last one stays, whatever its size. */
  readonly maxBytes: number;
}

const modelFile = 'model.onnx';
const weightsFile = 'weights.bin';
/** Leftovers of a process that was killed while writing are deleted after an hour. */
const abandonedAfterMs = 3600e3;

/** Returns a description of this machine: the layout of optimized weights depends on the processor's instructions. */
async function machine({ version }: OnnxBuild): Promise<string> {
  // If /proc/cpuinfo exists, read it: on virtual machines, different processors may have the same name.
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const lines = info.split('\n\n')[0]!.match(/^(model|cpu family|flags|Features|CPU part)\s*:.*$/gm) ?? [];
  return [version, process.platform, process.arch, cpus()[0]?.model, ...lines].join('\n');
}

/** A model to open, which may be in the cache. */
export interface ModelToOpen {
  /** Bytes that differ from those of every other model. */
  readonly identity: Uint8Array;
  /** Returns the model's bytes. A function, because emitting them may take longer than finding the model in the cache. */
  readonly bytes: () => Uint8Array;
  /** Where its parameters are. */
  readonly external: ExternalValues;
}

/**
 * Opens a model whose parameters are in files. If it is not in the cache yet, it is compiled and stored there first. If the cache
 * cannot be written, the model is opened without it.
 *
 * @param cache `alone` runs the compilation, so that only one at a time takes memory.
 */
export async function openCompiled(
  build: OnnxBuild,
  { identity, bytes, external }: ModelToOpen,
  { folder, maxBytes, alone }: CompiledModelCache & { readonly alone: <T>(work: () => Promise<T>) => Promise<T> },
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  const files = await Promise.all(
    external.files!.map(async (name) => {
      const path = join(external.folder!, name);
      const { size, mtimeMs } = await stat(path);
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
  const surroundings = [await machine(build), options.executionProviders, ...files].join('\n');
  const kept = join(folder, createHash('sha256').update(surroundings).update(identity).digest('hex').slice(0, 32));
  const session = await openKept(build, kept, options);
  if (session) return session;
  const model = bytes();
  await alone(() => keep(build, { model, external }, kept, options));
  await prune(folder, kept, maxBytes).catch(() => undefined);
  // Open the cached model, as later starts do: this needs less memory than the session that compiled it.
  return (await openKept(build, kept, options)) ?? build.create(model, options, external);
}

async function openKept(
  build: OnnxBuild,
  kept: string,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession | undefined> {
  const path = join(kept, modelFile);
  try {
    const now = new Date();
    await utimes(path, now, now);
  } catch {
    return undefined;
  }
  try {
    // The parameters of a cached model are next to it, wherever those of the original model are.
    return await build.create(path, { ...options, graphOptimizationLevel: 'disabled' });
  } catch {
    await rm(kept, { recursive: true, force: true });
    return undefined;
  }
}

/** Compiles a model into a folder, which is renamed when complete. If this fails, or another process was faster, it leaves no files. */
async function keep(
  build: OnnxBuild,
  { model, external }: { readonly model: Uint8Array; readonly external: ExternalValues },
  kept: string,
  options: ort.InferenceSession.SessionOptions,
): Promise<void> {
  const temporary = `${kept}.${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    const saved = {
      ...options,
      optimizedModelFilePath: join(temporary, modelFile),
      // Suppresses the warning that the model works only on this machine.
      logSeverityLevel: 3 as const,
      extra: {
        ...withSession(options, {
          optimized_model_external_initializers_file_name: weightsFile,
          optimized_model_external_initializers_min_size_in_bytes: '1024',
          save_external_prepacked_constant_initializers: '1',
        }),
        // This optimizer gives constants in a loop's body equal names, so that the saved model cannot be read.
        optimization: { disable_specified_optimizers: 'GatherSliceToSplitFusion' },
      },
    };
    const session = await build.create(model, saved, external);
    await session.release();
    for (const name of await readdir(temporary)) {
      const file = await open(join(temporary, name), 'r+');
      await file.sync().finally(() => file.close());
    }
    await rename(temporary, kept);
  } catch {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Deletes the least recently used models, and the leftovers of killed processes. */
async function prune(folder: string, kept: string, maxBytes: number): Promise<void> {
  const entries = await Promise.all((await readdir(folder)).map((name) => weigh(join(folder, name))));
  let bytes = 0;
  for (const { path, size, usedMs } of entries.sort((a, b) => b.usedMs - a.usedMs)) {
    const isPartial = path.endsWith('.tmp');
    if (!isPartial) bytes += size;
    const isNeeded = isPartial ? usedMs > Date.now() - abandonedAfterMs : bytes <= maxBytes || path === kept;
    if (!isNeeded) await rm(path, { recursive: true, force: true });
  }
}

async function weigh(path: string) {
  const files = await Promise.all((await readdir(path)).map((name) => stat(join(path, name))));
  // The folder may be empty, because another thread has just created it.
  const dated = files.length > 0 ? files : [await stat(path)];
  return {
    path,
    size: files.reduce((sum, { size }) => sum + size, 0),
    usedMs: Math.max(...dated.map(({ mtimeMs }) => mtimeMs)),
  };
}
