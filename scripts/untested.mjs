/**
 * Fails unless some test, or what tests share, imports each function, class and constant that the packages export: `node scripts/untested.mjs`. Methods and
 * types are not checked. It reads sources and needs no build.
 */
import { join } from 'node:path';
import ts from 'typescript';
import { entries } from './entries.mjs';

const root = join(import.meta.dirname, '..');
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const program = ts.createProgram(fileNames, options);
const checker = program.getTypeChecker();

/** What a name that is imported or exported stands for, wherever it comes from. */
const resolve = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);

/** The functions, classes and constants of a module, by the names under which it exports them. */
function values(module) {
  const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
  return new Map(
    symbols
      .filter((symbol) => !symbol.declarations?.some(ts.isTypeOnlyExportDeclaration))
      .filter((symbol) => resolve(symbol).flags & ts.SymbolFlags.Value)
      .map((symbol) => [symbol.name, resolve(symbol)]),
  );
}

const tested = new Set();
for (const file of program
  .getSourceFiles()
  .filter(({ fileName }) => /\/packages\/(testing|[^/]+\/test)\//.test(fileName))) {
  /** By the names under which modules are imported as a whole, `import * as g`. */
  const modules = new Map();
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) {
      const exported = values(checker.getSymbolAtLocation(node.moduleSpecifier));
      const bindings = node.importClause?.namedBindings;
      if (bindings && ts.isNamespaceImport(bindings)) modules.set(bindings.name.text, exported);
      if (bindings && ts.isNamedImports(bindings)) {
        const named = bindings.elements.filter((element) => !ts.isTypeOnlyImportDeclaration(element));
        for (const { name, propertyName } of named) tested.add(exported.get((propertyName ?? name).text));
      }
    }
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      tested.add(modules.get(node.expression.text)?.get(node.name.text));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
}

const untested = entries()
  .filter(({ isPrivate }) => !isPrivate)
  .flatMap(({ name, source }) =>
    [...values(checker.getSymbolAtLocation(program.getSourceFile(join(root, source))))]
      .filter(([, value]) => !tested.has(value))
      .map(([exported]) => `${exported} of ${name}`),
  );
if (untested.length > 0) {
  console.error(
    `No test imports:\n${untested.map((line) => `  ${line}`).join('\n')}\nTest what stays public, and stop exporting the rest.`,
  );
  process.exitCode = 1;
}
