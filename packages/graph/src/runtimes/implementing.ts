/** What runtimes share: checks of the values that callers pass. It is for those who implement `Runtime`. */
export { checkBound, type GrowingInput, growingInputs } from './bound-inputs.js';
export { checkInputs, expectedInputs } from './runtime.js';
