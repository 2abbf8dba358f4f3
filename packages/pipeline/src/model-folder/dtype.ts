/**
 * Precision of stored weights: all in 32 or 16 bits, or linear layers in 8 or 4 bits with scales and the others in 32
 * bits.
 */
export type Dtype = (typeof dtypes)[number];

export const dtypes = ['fp32', 'fp16', 'q8', 'q4'] as const;
