/** Writes the JSON Schemas of settings files, `packages/train/schemas`, after a build: `node scripts/settings-schemas.mjs`, then `npm run format`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { settingsSchema, settingsSchemaFile } from '@dalle-mini/train/settings';

for (const kind of ['vqgan', 'decoder']) {
  const file = settingsSchemaFile(kind);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(settingsSchema(kind), null, 2)}\n`);
}
