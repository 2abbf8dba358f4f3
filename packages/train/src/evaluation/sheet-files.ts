import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileErrors } from '@dalle-mini/core/node';
import { fileStep } from '../run/checkpoint-files.js';

/** What a sheet shows: images for the sample prompts, or images next to their reconstructions. */
export type SheetKind = 'samples' | 'reconstructions';

/** A sheet of images that an evaluation wrote. */
export interface SheetFile {
  readonly kind: SheetKind;
  readonly step: number;
  readonly path: string;
}

const pattern = /^(samples|reconstructions)-(\d{8,})\.png$/;

/** Returns the path of a sheet. */
export function sheetPath(folder: string, kind: SheetKind, step: number): string {
  return join(folder, `${kind}-${fileStep(step)}.png`);
}

/** Lists the sheets of a run's folder by step. */
export async function sheetFiles(folder: string): Promise<SheetFile[]> {
  const names = await withFileErrors('read', folder, () => readdir(folder));
  const files = names.flatMap((name): SheetFile[] => {
    const [, kind, step] = pattern.exec(name) ?? [];
    return kind === undefined ? [] : [{ kind: kind as SheetKind, step: Number(step), path: join(folder, name) }];
  });
  return files.sort((a, b) => a.step - b.step);
}
