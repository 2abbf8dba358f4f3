/** Parts of the name of a file below a folder, with forward slashes. */

/** The folder of the file, with a slash at the end; empty at the top. */
export const folderOf = (name: string) => name.slice(0, name.lastIndexOf('/') + 1);
export const endingOf = (name: string) => /\.[^./]*$/.exec(name)?.[0] ?? '';
export const baseName = (name: string) => name.slice(folderOf(name).length);
