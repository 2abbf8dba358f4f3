/** What runtimes share: checks of the values that callers pass. It is for those who implement `Runtime`. */
export { type AppendedInput, appendedInputs, appendsInputs, checkBound } from './bound-inputs.js';
export { checkInputs, expectedInputs } from './runtime.js';
