/** The kinds of parts that a model folder has: their files, configurations and parameters. */
import { type AnyDecoderConfig, checkAnyDecoderConfig, decoderGraphs, decoderParameters } from '@dalle-mini/decoder';
import type { Tensor, TensorData } from '@dalle-mini/graph';
import { quantizableParameters, type StoredParameter } from '@dalle-mini/graph/stored';
import { type BartConfig, bartGraph, bartParameters, checkBartConfig } from '@dalle-mini/text-encoder';
import { checkVqganConfig, type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';

export const configFile = 'config.json';
export const weightsFile = 'model.safetensors';

/** The configuration and the parameters of a VQ-GAN: `vqgan/`. */
export interface VqganPart<Value extends StoredParameter = TensorData> {
  readonly config: VqganConfig;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** The configuration and the parameters of a decoder: `decoder/`. */
export interface DecoderPart<Value extends StoredParameter = TensorData> {
  readonly config: AnyDecoderConfig;
  readonly parameters: ReadonlyMap<string, Value>;
}

/** How to check the configuration of a part, and its parameters. */
export interface PartKind<Config> {
  readonly check: (config: Config, source?: string) => void;
  readonly parameters: (config: Config) => ReadonlyMap<string, Tensor>;
  /** Names of the matrices that may be quantized, because they are only used in products. */
  readonly quantizable: (config: Config) => ReadonlySet<string>;
  /** Selects the 8-bit matrices that are stored by columns: see `QuantizedColumns`. Default none. */
  readonly byColumns?: ((name: string) => boolean) | undefined;
}

export const vqganKind: PartKind<VqganConfig> = {
  check: checkVqganConfig,
  parameters: vqganParameters,
  // All weights are convolutions.
  quantizable: () => new Set(),
};

export const decoderKind: PartKind<AnyDecoderConfig> = {
  check: checkAnyDecoderConfig,
  parameters: decoderParameters,
  quantizable: (config) => {
    const textLength = ('textLength' in config ? config.textLength : undefined) ?? 1;
    // Of most decoders, a separate graph computes the caption's keys and values.
    const graphs = decoderGraphs(config, { images: 1, guided: false, textLength });
    return new Set(graphs.flatMap((graph) => [...quantizableParameters(graph)]));
  },
  // The last product of a layer reads gated values, a few of which are large. In the bundled model, columns would lose
  // eight times as much there as in all other products together.
  byColumns: (name) => !/\.(fc2|w2|mlp\.2)\.weight$/.test(name),
};

export const bartKind: PartKind<BartConfig> = {
  check: checkBartConfig,
  parameters: bartParameters,
  quantizable: (config) => quantizableParameters(bartGraph(config, 1, config.maxLength)),
};

/** The configuration and the parameters of a part. */
export interface Part<Config, Value extends StoredParameter = TensorData> {
  readonly config: Config;
  readonly parameters: ReadonlyMap<string, Value>;
}
