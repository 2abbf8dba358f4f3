import { generate } from './generate.mjs';

// No `await` at the top: a bundle may be CommonJS.
generate().then(console.log);
