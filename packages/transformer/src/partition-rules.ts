import type { PartitionRule } from '@dalle-mini/graph/stablehlo';

/**
 * The partition rules with which DALL·E Mega was trained (`partitions.py` of the published code), for the parameters of a transformer here.
 * The projections into heads and hidden units are divided by their results, those out of them by their inputs, and embeddings by their
 * rows. Norms and biases are whole on every device. Weights are `[out, in]`, where those of the published code are `[in, out]`.
 */
export const partitionRules: readonly PartitionRule[] = [
  { match: ['*embed_positions.weight', '*embed_tokens.weight'], axes: ['model', null] },
  { match: '*.rel_bias.weight', axes: [null, 'model'] },
  { match: ['*.q_proj.weight', '*.k_proj.weight', '*.v_proj.weight'], axes: ['model', null] },
  { match: '*.out_proj.weight', axes: [null, 'model'] },
  { match: ['*.glu.fc0.weight', '*.glu.fc1.weight'], axes: ['model', null] },
  { match: '*.glu.fc2.weight', axes: [null, 'model'] },
  { match: '*lm_head.weight', axes: ['model', null] },
];
