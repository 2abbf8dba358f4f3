/** How alike images look: LPIPS as a metric and as a loss, and measures of reconstructions. */
export { type CodebookUse, codebookUse } from './codebook-use.js';
export { type FeatureStatistics, featureStatistics, frechetDistance } from './frechet-distance.js';
export { importPerceptual, lpips, perceptualFeatures, perceptualParameters } from './lpips.js';
export { type CompareOptions, type Comparison, LpipsMetric } from './lpips-metric.js';
export { type PerceptualNetwork, perceptualNetworks } from './networks.js';
export { peakSignalToNoise } from './peak-signal-to-noise.js';
export { structuralSimilarity } from './structural-similarity.js';
