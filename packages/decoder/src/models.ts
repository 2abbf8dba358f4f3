/** The models of decoders, by their configurations. */
import type { Graph, Tensor } from '@dalle-mini/graph';
import { parametersOfModel, type RowShape, rowGraphOf, textGraphOf } from './autoregressive/graphs.js';
import type { DecoderConfig } from './dalle-mini/config.js';
import { dalleMiniModel } from './dalle-mini/decoder.js';

/** Builds the graph that reads captions once: its outputs are inputs of {@link rowGraph}. */
export const textGraph = (config: DecoderConfig, shape: RowShape): Graph => textGraphOf(dalleMiniModel(config), shape);

/** Builds the graph that generates one row of tokens in each run, with a KV cache that grows by a row. */
export const rowGraph = (config: DecoderConfig, shape: RowShape): Graph => rowGraphOf(dalleMiniModel(config), shape);

/** Returns the parameters of a decoder by name, which its checkpoint must have. */
export const decoderParameters = (config: DecoderConfig): ReadonlyMap<string, Tensor> =>
  parametersOfModel(dalleMiniModel(config));
