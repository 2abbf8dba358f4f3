/**
 * Writes reports of the public API, `packages/NAME/api/ENTRY.api.md` for each of the packages' exports, after a build:
 * `node scripts/api.mjs`. Whatever changes for users then changes a report, which a reviewer reads. With `--check` it writes nothing, and
 * fails unless the reports are what it would write.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { entries } from './entries.mjs';

const root = join(import.meta.dirname, '..');
const temporary = mkdtempSync(join(tmpdir(), 'api-reports-'));

/** Writes the report of one entry into a folder: `index.api.md` for the package itself, `node.api.md` for `@dalle-mini/graph/node`. */
function writeReport({ name, packageName, folder, built }, reportFolder) {
  mkdirSync(reportFolder, { recursive: true });
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(root, folder, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: join(root, folder),
      mainEntryPointFilePath: join(root, built.replace(/\.js$/, '.d.ts')),
      compiler: {
        overrideTsconfig: { extends: join(root, 'tsconfig.base.json'), include: [join(root, folder, 'dist')] },
      },
      apiReport: {
        enabled: true,
        reportFileName: name.slice(packageName.length + 1).replaceAll('/', '-') || 'index',
        reportFolder,
        reportTempFolder: join(temporary, 'unused'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        // TypeDoc checks docstrings.
        tsdocMessageReporting: { default: { logLevel: 'none' } },
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          // A type that public signatures use but users cannot import.
          'ae-forgotten-export': { logLevel: 'warning', addToApiReportFile: true },
        },
      },
    },
  });
  const { succeeded } = Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => {
      if (message.logLevel !== 'error') message.handled = true;
    },
  });
  if (!succeeded) throw new Error(`The report of ${name} cannot be made. Run "npm run build" first.`);
}

try {
  const check = process.argv.includes('--check');
  const published = entries().filter(({ isPrivate }) => !isPrivate);
  const folders = [...new Set(published.map(({ folder }) => join(folder, 'api')))];
  if (!check) for (const folder of folders) rmSync(join(root, folder), { recursive: true, force: true });
  const target = check ? join(temporary, 'now') : root;
  for (const entry of published) writeReport(entry, join(target, entry.folder, 'api'));
  if (check) {
    const changed = folders.filter((folder) => {
      if (!existsSync(join(root, folder))) return true;
      const diff = ['diff', '--no-index', '--', join(root, folder), join(target, folder)];
      return spawnSync('git', diff, { stdio: 'inherit' }).status !== 0;
    });
    if (changed.length > 0) {
      console.error(
        `The API differs from the reports in ${changed.join(', ')}. If this is intended, run "npm run api" and commit the reports.`,
      );
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(temporary, { recursive: true });
}
