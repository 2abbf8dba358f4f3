import { normalized } from '../lowerings.js';
import { replace } from './pass.js';

/**
 * Scales and shifts normalized images by a convolution of each channel alone. It takes one pass over memory instead of two, in the layout
 * that ONNX Runtime has for the convolution that follows. Only with parameters that are initializers, which it brings into that layout
 * once, and in whole blocks of channels.
 */
export const scaleGroupsByConvolution = replace(
  'groupNormalize',
  (emitter, [x, weight, bias], operation) => {
    const channels = operation.inputs[0]!.shape[1]!;
    const { values, statistics } = normalized(emitter, x!, operation);
    const filters = emitter.reshape(weight!, [channels, 1, 1, 1]);
    return [emitter.node('Conv', [values, filters, bias!], { group: channels }), ...statistics];
  },
  ({ inputs: [x, ...parameters] }, emitter) =>
    x!.shape.length === 4 && x!.shape[1]! % 16 === 0 && parameters.every((tensor) => emitter.isInitializer(tensor)),
);
