/**
 * A plugin of TypeDoc: names modules as they are imported, names guides by their headings, and makes relative links of the Markdown files
 * work in the documentation.
 */
import { statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application, ReflectionKind } from 'typedoc';

const root = fileURLToPath(new URL('..', import.meta.url));
const repository = 'https://github.com/dalle-mini/dalle-mini-ts';

/** @param {Application} app */
export function load(app) {
  app.on(Application.EVENT_PROJECT_REVIVE, (project) => {
    for (const module of project.children ?? []) {
      nameEntryPoints(module);
      const folder = resolve(root, 'packages', module.name.replace(/^.*\//, ''));
      for (const path of [folder, resolve(folder, 'README.md')]) project.files.registerReflectionPath(path, module);
    }
    project.files.registerReflectionPath(resolve(root, 'README.md'), project);
    // In the order of `projectDocuments`, which is the reading order.
    const guides = app.options.getValue('projectDocuments').map((path) => resolve(root, path));
    const place = (document) => guides.indexOf(project.files.getReflectionPath(document));
    project.documents?.sort((a, b) => place(a) - place(b));
    // A page's title comes from its name: the heading would be there twice.
    for (const document of project.documents ?? []) document.name = takeHeading(document.content, document.name);
    for (const module of project.children ?? []) if (module.readme) takeHeading(module.readme, module.name);

    for (const reflection of Object.values(project.reflections)) {
      const { summary = [], blockTags = [] } = reflection.comment ?? {};
      const parts = [
        summary,
        ...blockTags.map((tag) => tag.content),
        reflection.readme ?? [],
        reflection.content ?? [],
      ];
      for (const part of parts.flat()) linkToRepository(part, project);
    }
    for (const part of project.readme ?? []) linkToRepository(part, project);
  });
}

/** `@dalle-mini/graph/onnxruntime` for the entry point `./onnxruntime` of `@dalle-mini/graph`, `@dalle-mini/graph` for its `.`. */
function nameEntryPoints(module) {
  for (const child of module.children ?? []) {
    if (child.kind === ReflectionKind.Module)
      child.name = child.name === '' ? module.name : `${module.name}/${child.name}`;
  }
}

/** Removes the heading that a page of Markdown begins with, and returns it. */
function takeHeading([first], name) {
  const heading = /^\s*# (.+)\n/.exec(first.text);
  if (!heading) throw new Error(`The page of ${name} must begin with a heading.`);
  first.text = first.text.slice(heading[0].length);
  return heading[1];
}

/** Links to folders and files that are not part of the documentation lead to the repository on GitHub, except those to images. */
function linkToRepository(part, project) {
  if (part.kind !== 'relative-link' || typeof part.target !== 'number') return;
  const path = project.files.resolve(part.target, project);
  if (typeof path !== 'string') return;
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  if (/\.(png|svg|webp)$/.test(path)) return;
  const anchor = part.targetAnchor ? `#${part.targetAnchor}` : '';
  part.text = `${repository}/${isFolder ? 'tree' : 'blob'}/main/${relative(root, path)}${anchor}`;
  part.kind = 'text';
}
