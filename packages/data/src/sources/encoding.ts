import { field } from '@dalle-mini/core';

/** Labels of the Encoding Standard, such as `windows-1252`. */
export const encodingField = field<string>('the name of a text encoding, such as windows-1252', (value) => {
  if (typeof value !== 'string') return false;
  try {
    return new TextDecoder(value) !== undefined;
  } catch {
    return false;
  }
});
