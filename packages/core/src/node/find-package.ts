/** Finds files of installed npm packages, also from a program that a bundler made. */
import { existsSync } from 'node:fs';
// Not `createRequire` by name: webpack would replace its calls when it bundles.
import nodeModule from 'node:module';
import { join } from 'node:path';

/**
 * Returns the paths and URLs of files from which installed packages can be found, best first.
 *
 * A bundler may move a module, replace its URL by that of the source or by nothing. So the running program and the current folder follow.
 *
 * @param moduleUrl `import.meta.url` of the module that needs the package.
 */
export function placesOfPackages(moduleUrl: string | undefined): string[] {
  const places = moduleUrl?.startsWith('file:') ? [moduleUrl] : [];
  if (process.argv[1]) places.push(process.argv[1]);
  // pnpm puts the dependencies of dependencies into a folder of their own.
  places.push(join(process.cwd(), 'package.json'), join(process.cwd(), 'node_modules/.pnpm/package.json'));
  return [...new Set(places.flatMap((place) => [place, outsideArchive(place)]))];
}

/**
 * Finds a file of an installed package.
 *
 * @param request The package's name and the path in it, such as `@dalle-mini/emoji/package.json`.
 * @param moduleUrl `import.meta.url` of the module that needs it.
 * @throws The error of the first place, if the package is found from none.
 */
export function findPackageFile(request: string, moduleUrl: string | undefined): string {
  const errors: unknown[] = [];
  for (const place of placesOfPackages(moduleUrl)) {
    try {
      const file = nodeModule.createRequire(place).resolve(request);
      const unpacked = outsideArchive(file);
      return existsSync(unpacked) ? unpacked : file;
    } catch (error) {
      errors.push(error);
    }
  }
  throw errors[0];
}

const guide = 'https://github.com/dalle-mini/dalle-mini-ts/blob/main/docs/deploying.md';

/** What to do when an installed package is not found or not complete, for error messages. */
export const installAdvice = (packageName: string): string =>
  "If a bundler made this program, keep the packages outside of the bundle (Next.js: serverExternalPackages: ['@dalle-mini/pipeline'], and " +
  `outputFileTracingIncludes for ${packageName}; Vite: ssr.external; others: external), and install them where it runs. ` +
  `Otherwise run "npm install ${packageName}". See ${guide}.`;

/** Whether a path is inside an archive of Electron. Its file functions read such files; native code cannot. */
export const isInArchive = (path: string): boolean => /\.asar[\\/]/.test(path);

/** Electron stores files that are not packed, such as native libraries, next to the archive. */
const outsideArchive = (path: string) => path.replace(/\.asar(?=[\\/])/, '.asar.unpacked');
