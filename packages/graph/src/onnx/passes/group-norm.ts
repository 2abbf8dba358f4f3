import { normalized } from '../lowerings.js';
import { replace } from './pass.js';

/**
 * Scales and shifts normalized images by a depthwise convolution. This takes one pass over memory instead of two, and uses the blocked
 * layout that ONNX Runtime needs for the next convolution. It applies only if the parameters are initializers, so that ONNX Runtime
 * reorders them once, and if the channels fill whole blocks.
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
