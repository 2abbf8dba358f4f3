/**
 * Checks a module's text without XLA: brackets close, each value is defined once and before its use, in its region or outside of it, and
 * operands have the types that operations name for them.
 *
 * @throws Error that quotes the line.
 */
export function checkStableHlo(text: string): void {
  const depth = new Map<string, number>();
  for (const [open, close] of ['()', '[]', '{}']) {
    for (const character of text) {
      if (character === open) depth.set(open, (depth.get(open) ?? 0) + 1);
      if (character === close) depth.set(open!, (depth.get(open!) ?? 0) - 1);
      if ((depth.get(open!) ?? 0) < 0) throw new Error(`${close} without ${open}`);
    }
    if ((depth.get(open!) ?? 0) !== 0) throw new Error(`${open} does not close`);
  }
  const types = new Map<string, string>();
  const define = (name: string, type: string, line: string) => {
    if (types.has(name)) throw new Error(`${name} is defined twice: ${line}`);
    types.set(name, type);
  };
  const expectType = (name: string, type: string | undefined, line: string) => {
    if (types.get(name) !== type) throw new Error(`${name} is ${types.get(name)}, not ${type}: ${line}`);
  };
  /** The names that each open region defines, innermost last. */
  const regions: string[][] = [];
  let loop: { name: string; types: string[] } | undefined;
  const loops: (typeof loop)[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const typesIn = (part: string) => part.match(/tensor<[^>]*>/g) ?? [];
    const namesIn = (part: string) => part.match(/%\w+(#\d+)?/g) ?? [];
    if (line.startsWith('func.func')) {
      for (const [, name, type] of line.matchAll(/(%arg\d+): (tensor<[^>]*>)/g)) define(name!, type!, line);
      continue;
    }
    const whole = /^(%\d+):\d+ = stablehlo\.while\((.*)\) : (.*)$/.exec(line);
    if (whole) {
      const [, name, header, list] = whole;
      const carried = typesIn(list!);
      loops.push({ name: name!, types: carried });
      regions.push([]);
      for (const [i, pair] of header!.split(', ').entries()) {
        const [inner, outer] = pair.split(' = ') as [string, string];
        expectType(outer, carried[i], line);
        define(inner, carried[i]!, line);
        regions.at(-1)!.push(inner);
      }
      continue;
    }
    if (line === 'cond {') regions.push([]);
    else if (line === '} do {') {
      for (const name of regions.pop()!) types.delete(name);
      regions.push([]);
    } else if (line === '}' && loops.length > 0) {
      for (const name of [...regions.pop()!, ...regions.pop()!]) types.delete(name);
      loop = loops.pop()!;
      for (const [i, type] of loop!.types.entries()) define(`${loop!.name}#${i}`, type, line);
    } else if (/^(stablehlo\.)?return/.test(line)) {
      const [names, list] = line.split(' : ') as [string, string | undefined];
      for (const [i, name] of namesIn(names).entries()) expectType(name, typesIn(list ?? '')[i], line);
    } else if (line.startsWith('%')) {
      checkOperation(line);
    }
  }

  function checkOperation(line: string): void {
    // A region in the line defines names of its own.
    const region = / \(\{ \^bb0\((.*?)\): .* \}\)/.exec(line)?.[0] ?? '';
    const [, result, count, rest] = /^(%\d+)(?::(\d+))? = (.*)$/.exec(line.replace(region, ''))!;
    const at = rest!.lastIndexOf(' : ');
    const [operation, signature] = [rest!.slice(0, at), rest!.slice(at + 3)];
    const [given, made] = signature.includes(' -> ') ? signature.split(' -> ') : [signature, signature];
    const list = (part: string) => part.match(/tensor<[^>]*>/g) ?? [];
    const names = operation.match(/%\w+(#\d+)?/g) ?? [];
    const operandTypes = list(given!);
    // Without an arrow, one type stands for all operands and the result; select names the type of its condition too.
    const isSelect = operation.startsWith('stablehlo.select');
    const typeOfOperand = (i: number) => operandTypes[Math.min(i, operandTypes.length - 1)];
    for (const [i, name] of names.entries()) expectType(name, typeOfOperand(i), line);
    const results = isSelect ? list(made!).slice(1) : list(made!);
    for (const [i, type] of results.entries()) {
      const name = count ? `${result}#${i}` : result!;
      define(name, type, line);
      regions.at(-1)?.push(name);
    }
  }
}
