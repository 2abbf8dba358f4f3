import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withOverrides } from '@dalle-mini/core';
import { exists, makeFolder, writeJsonFile } from '@dalle-mini/core/node';
import {
  type Preset,
  presetSettings,
  type SettingsKind,
  settingsSchemaFile,
  surveyImages,
} from '@dalle-mini/train/settings';
import { UsageError } from './errors.js';

export interface InitCommand {
  /** The folder of pictures. Default `pictures`. */
  readonly pictures?: string | undefined;
  readonly preset: Preset;
  /** Path of the settings file. */
  readonly out: string;
  readonly model?: string | undefined;
  /** The setting `dataset.captions`. */
  readonly captions?: 'given' | 'file-names' | undefined;
  readonly trainTextEncoder?: boolean | undefined;
}

/** Runs `dalle-mini init`: writes a settings file from a preset, and prints its path and how to train with it. */
export async function init({ pictures, preset, out, model, captions, trainTextEncoder }: InitCommand): Promise<void> {
  if (await exists(out)) throw new UsageError(`${out} exists. Choose another path with --out, or delete the file.`);
  const survey = pictures === undefined ? undefined : await surveyImages(pictures, { captions });
  const base = dirname(resolve(out));
  const made = presetSettings(preset, {
    pictures: fromFolder(base, pictures ?? 'pictures'),
    ...survey,
    model: model !== undefined && (await exists(model)) ? fromFolder(base, model) : model,
    trainTextEncoder,
  });
  await makeFolder(base);
  const chosen = captions === undefined ? {} : { 'dataset.captions': captions };
  await writeSettings(out, made.kind, withOverrides(made.settings, chosen));
  process.stdout.write(`${out}\n`);
  process.stderr.write(`Train with: dalle-mini train ${made.kind} --config ${quoted(out)}\n`);
}

/** Writes a settings file with the address of its schema. */
export async function writeSettings(path: string, kind: SettingsKind, settings: object): Promise<void> {
  await writeJsonFile(path, { $schema: schemaAddress(dirname(resolve(path)), kind), ...settings });
}

/** Returns the address of a schema: a path from a folder or, on another drive, a URL. */
function schemaAddress(folder: string, kind: SettingsKind): string {
  const file = settingsSchemaFile(kind);
  const path = relative(folder, file);
  return isAbsolute(path) ? pathToFileURL(file).href : join('.', path).split(sep).join('/');
}

/** Returns a path of the current folder as one of another folder, with forward slashes. */
export function fromFolder(folder: string, path: string): string {
  return isAbsolute(path) ? path : (relative(folder, resolve(path)) || '.').split(sep).join('/');
}

/** Quotes an argument for a shell if it needs quotes. */
export function quoted(text: string): string {
  return /^[\w./~-]+$/.test(text) ? text : `"${text.replace(/["\\$`]/g, '\\$&')}"`;
}
