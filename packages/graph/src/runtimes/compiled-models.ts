/** A cache of models that ONNX Runtime has optimized for this machine. It maps their files into memory instead of optimizing again. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';

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
async function machine(): Promise<string> {
  // If /proc/cpuinfo exists, read it: on virtual machines, different processors may have the same name.
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const lines = info.split('\n\n')[0]!.match(/^(model|cpu family|flags|Features|CPU part)\s*:.*$/gm) ?? [];
  return [ort.env.versions.node, process.platform, process.arch, cpus()[0]?.model, ...lines].join('\n');
}

/** A model to open, which may be in the cache. */
export interface ModelToOpen {
  /** Bytes that differ from those of every other model. */
  readonly identity: Uint8Array;
  /** Returns the model's bytes. A function, because emitting them may take longer than finding the model in the cache. */
  readonly bytes: () => Uint8Array;
}

/**
 * Opens a model whose parameters are in files. If it is not in the cache yet, it is compiled and stored there first. If the cache
 * cannot be written, the model is opened without it.
 *
 * @param parameterFiles Paths of the files.
 * @param cache `alone` runs the compilation, so that only one at a time takes memory.
 */
export async function openCompiled(
  { identity, bytes }: ModelToOpen,
  parameterFiles: readonly string[],
  { folder, maxBytes, alone }: CompiledModelCache & { readonly alone: <T>(work: () => Promise<T>) => Promise<T> },
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  const files = await Promise.all(
    parameterFiles.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
  const surroundings = [await machine(), options.executionProviders, ...files].join('\n');
  const kept = join(folder, createHash('sha256').update(surroundings).update(identity).digest('hex').slice(0, 32));
  const session = await openKept(kept, options);
  if (session) return session;
  const model = bytes();
  await alone(() => keep(model, kept, options));
  await prune(folder, kept, maxBytes).catch(() => undefined);
  // Open the cached model, as later starts do: this needs less memory than the session that compiled it.
  return (await openKept(kept, options)) ?? ort.InferenceSession.create(model, options);
}

async function openKept(
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
    const { extra: _, ...others } = options;
    return await ort.InferenceSession.create(path, { ...others, graphOptimizationLevel: 'disabled' });
  } catch {
    await rm(kept, { recursive: true, force: true });
    return undefined;
  }
}

/** Compiles a model into a folder, which is renamed when complete. If this fails, or another process was faster, it leaves no files. */
async function keep(model: Uint8Array, kept: string, options: ort.InferenceSession.SessionOptions): Promise<void> {
  const temporary = `${kept}.${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    const session = await ort.InferenceSession.create(model, {
      ...options,
      optimizedModelFilePath: join(temporary, modelFile),
      // Suppresses the warning that the model works only on this machine.
      logSeverityLevel: 3,
      extra: {
        ...options.extra,
        session: {
          ...(options.extra?.session as object | undefined),
          optimized_model_external_initializers_file_name: weightsFile,
          optimized_model_external_initializers_min_size_in_bytes: '1024',
          save_external_prepacked_constant_initializers: '1',
        },
        // This optimizer gives constants in a loop's body equal names, so that the saved model cannot be read.
        optimization: { disable_specified_optimizers: 'GatherSliceToSplitFusion' },
      },
    });
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
