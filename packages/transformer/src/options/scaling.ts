import type { TransformerConfig } from '../config.js';

/** Layers of the encoder and of the decoder. */
export interface Depths {
  readonly encoder: number;
  readonly decoder: number;
}

/**
 * By how much the residual branches and the first weights of a stack are multiplied: DeepNet's α and β (Wang et al. 2022, table 1), or
 * sub-LN's γ, of an encoder of N layers and a decoder of M. Both are 1 by default.
 */
export function gains(
  kind: 'encoder' | 'decoder',
  { deepnetScaling, sublnInit }: Pick<TransformerConfig, 'deepnetScaling' | 'sublnInit'>,
  { encoder: n, decoder: m }: Depths,
): { readonly residual: number; readonly initial: number } {
  if (deepnetScaling)
    return kind === 'encoder'
      ? { residual: 0.81 * (n ** 4 * m) ** 0.0625, initial: 0.87 * (n ** 4 * m) ** -0.0625 }
      : { residual: (3 * m) ** 0.25, initial: (12 * m) ** -0.25 };
  if (!sublnInit) return { residual: 1, initial: 1 };
  const initial = kind === 'encoder' ? Math.sqrt((Math.log(3 * m) * Math.log(2 * n)) / 3) : Math.sqrt(Math.log(3 * m));
  return { residual: 1, initial };
}
