/** Chooses the build of ONNX Runtime: the native one, or else WebAssembly where `onnxruntime-web` is installed. */
import { readFile, stat } from 'node:fs/promises';
// Not `createRequire` by name: webpack would replace its calls when it bundles.
import nodeModule from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type * as ort from 'onnxruntime-node';
import { checkWebSize, createWebSession, type OnnxModule, type VirtualFile } from './onnxruntime-session.js';
import { explainUnavailable, type LoadFailure } from './onnxruntime-unavailable.js';
import { RuntimeUnavailableError } from './runtime-unavailable-error.js';

type Options = ort.InferenceSession.SessionOptions;

/** Values of a model that are outside it. */
export interface ExternalValues {
  /** The folder of the files, and their names in it. */
  readonly folder?: string | undefined;
  readonly files?: readonly string[] | undefined;
  /** Values in memory, which the model refers to by virtual file names. */
  readonly contents: readonly VirtualFile[];
}

/** A build of ONNX Runtime. */
export interface OnnxBuild {
  readonly Tensor: OnnxModule['Tensor'];
  readonly version: string;
  /** Whether it reads files itself, and can write compiled models. */
  readonly hasFiles: boolean;
  /** Opens a model, which is its bytes or the path of its file. */
  create(
    model: Uint8Array | string,
    options: Options,
    external?: ExternalValues | undefined,
  ): Promise<ort.InferenceSession>;
}

export interface BuildOptions {
  /** Paths and URLs of files from which the packages may be found, best first. */
  readonly places: readonly string[];
  /** Threads per operator. Default: the number of processor cores. */
  readonly threads: number | undefined;
  readonly executionProviders: readonly string[];
}

/**
 * Loads ONNX Runtime.
 *
 * @throws RuntimeUnavailableError if neither build can be loaded, or only the WebAssembly build and `executionProviders` ask for more than a CPU.
 */
export async function loadOnnxRuntime({ places, threads, executionProviders }: BuildOptions): Promise<OnnxBuild> {
  // A literal name, so that tools which collect the files of a program find the package.
  const native = await load<OnnxModule>('onnxruntime-node', places, () => import('onnxruntime-node'));
  if ('module' in native) return nativeBuild(native.module);
  const web = executionProviders.every((name) => name === 'cpu')
    ? await load<OnnxModule>('onnxruntime-web', places)
    : undefined;
  if (web && 'module' in web) return webBuild(web.module, threads);
  throw new RuntimeUnavailableError(explainUnavailable(native, web), { cause: native.error });
}

/** Loads a package from the first place that has it. */
async function load<Loaded>(
  name: string,
  places: readonly string[],
  direct?: () => Promise<Loaded & { readonly default?: Loaded }>,
): Promise<{ readonly module: Loaded } | LoadFailure> {
  const attempts = places.map((place) => async () => nodeModule.createRequire(place)(name) as Loaded);
  if (direct) {
    attempts.unshift(async () => {
      const loaded = await direct();
      return loaded.default ?? loaded;
    });
  }
  let missing: Error | undefined;
  for (const attempt of attempts) {
    try {
      return { module: await attempt() };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (!isAbsent(name, error)) return { error, isInstalled: true };
      missing ??= error;
    }
  }
  return { error: missing!, isInstalled: false };
}

/** Whether an error says that the package itself is not installed, rather than one of its files or a library. */
function isAbsent(name: string, { code, message }: NodeJS.ErrnoException): boolean {
  return /^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? '') && new RegExp(`(module|package) '${name}'`, 'i').test(message);
}

function nativeBuild({ InferenceSession, Tensor, env }: OnnxModule): OnnxBuild {
  return {
    Tensor,
    version: env.versions.node ?? '',
    hasFiles: true,
    create: (model, options, external) => {
      const { folder, contents = [] } = external ?? {};
      const complete = {
        ...options,
        ...(contents.length > 0 ? { externalData: contents } : {}),
        ...(folder === undefined
          ? {}
          : { extra: withSession(options, { model_external_initializers_file_folder_path: folder }) }),
      };
      return typeof model === 'string'
        ? InferenceSession.create(model, complete)
        : InferenceSession.create(model, complete);
    },
  };
}

/** Adds entries to the session's part of the extra options. */
export function withSession({ extra }: Options, entries: Record<string, unknown>): Record<string, unknown> {
  return { ...extra, session: { ...(extra?.session as object | undefined), ...entries } };
}

function webBuild(web: OnnxModule, threads = availableParallelism()): OnnxBuild {
  web.env.wasm.numThreads = threads;
  return {
    Tensor: web.Tensor,
    version: web.env.versions.web ?? '',
    hasFiles: false,
    async create(model, _options, external) {
      const { folder, files = [], contents = [] } = external ?? {};
      const paths = files.map((path) => ({ path, file: join(folder!, path) }));
      const sizes = await Promise.all(paths.map(async ({ file }) => (await stat(file)).size));
      checkWebSize(sizes.reduce((sum, size) => sum + size, 0));
      const read = await Promise.all(paths.map(async ({ path, file }) => ({ path, data: await readFile(file) })));
      const bytes = typeof model === 'string' ? await readFile(model) : model;
      return createWebSession(web, bytes, [...contents, ...read]);
    },
  };
}
