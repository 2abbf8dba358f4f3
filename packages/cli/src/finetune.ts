import { basename, join, relative, resolve } from 'node:path';
import { withOverrides } from '@dalle-mini/core';
import { exists, isFolder, makeFolder, readJsonFile } from '@dalle-mini/core/node';
import { findLaunch } from '@dalle-mini/hosts';
import type { DeviceOptions } from '@dalle-mini/train';
import { type DecoderSettings, type Preset, presetSettings, surveyImages } from '@dalle-mini/train/settings';
import { UsageError } from './errors.js';
import { fromFolder, quoted, writeSettings } from './init.js';
import { trainFromConfig } from './train.js';

export interface FinetuneCommand {
  readonly preset: Preset;
  /** The model to fine-tune. Default: that of the preset. */
  readonly model?: string | undefined;
  /** The setting `dataset.captions`. */
  readonly captions?: 'given' | 'file-names' | undefined;
  /** The folder of the run. Default: `runs` and the name of the folder of pictures. */
  readonly folder?: string | undefined;
  readonly overrides: Readonly<Record<string, unknown>>;
  /** What this run computes on. It is not kept in the settings: a run may resume on another device. */
  readonly devices: DeviceOptions;
  /** Whether a run may resume after its data have changed. */
  readonly acceptDataChanges?: boolean | undefined;
  readonly signal: AbortSignal;
}

/**
 * Runs `dalle-mini finetune`: fine-tunes a model on a folder of pictures, with settings that follow from their number.
 * Writes the settings into the folder of the run. If they are there already, the run resumes with them.
 */
export async function finetune(pictures: string, command: FinetuneCommand): Promise<void> {
  const { preset, devices, acceptDataChanges, signal } = command;
  if (findLaunch(process.env))
    throw new UsageError(
      'finetune runs on one host. Write settings with "dalle-mini init", and train with "dalle-mini train".',
    );
  if ((await exists(pictures)) && !(await isFolder(pictures)))
    throw new UsageError(
      `<pictures> must be a folder, not the file ${pictures}. ` +
        'Train with a settings file by dalle-mini train decoder --config, or dalle-mini train vqgan --config.',
    );
  const { captions = command.overrides['dataset.captions'] as FinetuneCommand['captions'] } = command;
  const overrides: FinetuneCommand['overrides'] = {
    ...command.overrides,
    ...(captions === undefined ? {} : { 'dataset.captions': captions }),
  };
  const folder = command.folder ?? join('runs', basename(resolve(pictures)));
  const config = join(folder, 'settings.json');
  const dataset = fromFolder(resolve(folder), pictures);
  const model =
    command.model && (await exists(command.model)) ? fromFolder(resolve(folder), command.model) : command.model;
  const isNew = !(await exists(config));
  const survey = isNew ? await surveyImages(pictures, { run: folder, captions }) : undefined;
  const steps = typeof overrides.steps === 'number' ? overrides.steps : undefined;
  const made = presetSettings(preset, { pictures: dataset, ...survey, steps, folder: '.', model });
  const settings: object = isNew ? { ...made.settings, name: basename(resolve(folder)) } : await readJsonFile(config);
  const { dataset: data, startFrom } = settings as Partial<DecoderSettings>;
  if (data?.path !== dataset || startFrom !== made.settings.startFrom)
    throw new UsageError(`${config} fine-tunes ${startFrom} on ${data?.path}. Choose another folder with --folder.`);
  await makeFolder(folder);
  await writeSettings(config, made.kind, withOverrides(settings, overrides));
  if (survey) process.stderr.write(`${survey.count} pictures. The settings are in ${config}.\n`);
  const training = { config, overrides: { ...devices }, acceptDataChanges, signal };
  const { result, caption = '' } = await trainFromConfig(made.kind, training);
  process.stderr.write(
    `Generate with: dalle-mini generate ${quoted(caption)} --model ${quoted(relative('.', result))}\n`,
  );
}
