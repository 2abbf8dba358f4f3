/** The JSON Schemas of settings files, from the fields that read them. */
import { fileURLToPath } from 'node:url';
import type { JsonSchema } from '@dalle-mini/core';
import { decoderSettingsField, vqganSettingsField } from './settings.js';

/** The kinds of training that have settings. */
export type SettingsKind = 'vqgan' | 'decoder';

/** What editors show for a setting, by the names of the fields that lead to it. */
const descriptions: Readonly<Record<string, string>> = {
  $schema: 'The JSON Schema of this file, for editors.',
  folder: 'The folder of the run, for checkpoints and the result. Relative paths start from the folder of this file.',
  seed: 'Seed of all randomness. Default 0.',
  steps: 'Total number of steps. It may be raised later: the run continues from its newest checkpoint.',
  checkpointEvery: 'Steps between two checkpoints, a multiple of training.stepsPerRun. Default: 50 runs of the graph.',
  evaluateEvery: 'Steps between two evaluations, a multiple of training.stepsPerRun. Default: 50 runs of the graph.',
  evaluationSize: 'Number of samples of an evaluation. Default 256.',
  result: 'The step whose parameters are the result: the one with the best evaluation (default) or the last one.',
  earlyStopping: 'Ends the run early if evaluations do not improve.',
  'earlyStopping.patience': 'Number of evaluations in a row that are not better than the best one before them.',
  acceptDataChanges: 'Whether the run may resume after samples were added, removed or changed. Default false.',
  dataset: 'Images with captions.',
  evaluation: 'Images to evaluate with. Default: held-out samples of the dataset.',
  startFrom: 'A model to fine-tune, instead of the sizes of a new one: a folder, a hub name, or "emoji".',
  which: 'The weights of files that training wrote: those of the model, or their moving average. Default "model".',
  model: 'The sizes of a new model.',
  training: 'How to train.',
  'training.batchSize': 'Samples per batch.',
  'training.stepsPerRun': 'Steps per run of the graph. Default 10.',
  'training.learningRate': 'The highest learning rate.',
  'training.warmUpSteps': 'Steps over which the learning rate rises, fewer than steps.',
  'training.schedule': 'How the learning rate then falls, to a twentieth at the last step. Default "cosine".',
  'training.learningRates':
    'Factors of the learning rate by layer. The first entry that matches a name decides; 0 freezes.',
  'training.weightDecay': 'Weight decay of matrices.',
  'training.rematerialize': 'Computes each layer again in the backward pass, to save memory. Default false.',
  'training.averageDecay':
    'Decay of a moving average of the parameters, which is then the result. Default: no average.',
  'training.beta1': "Decay of Adam's mean of gradients. Default 0.9; 0.5 with a discriminator.",
  'training.beta2': "Decay of Adam's mean of squared gradients. Default 0.99; 0.9 with a discriminator.",
  'training.clipNorm': 'Largest norm of the gradients. Default 1.',
  'training.squaredErrorWeight': 'Weight of the squared error. Default 1.',
  'training.absoluteErrorWeight': 'Weight of the absolute error. Default 0.',
  'training.codebookWeight': 'Weight of the codebook loss. Default 1.',
  'training.commitmentWeight': 'Weight of the commitment loss. Default 0.25.',
  'training.perceptual': 'A term that compares how images look, LPIPS. Default: none.',
  'training.perceptual.weight': 'Its weight. Default 1.',
  'training.perceptual.network': 'Its network. Default "vgg16".',
  'training.quantizer': 'How the codebook is trained.',
  'training.quantizer.gradient': 'The gradient of vectors: that of their codes, copied (default) or rotated.',
  'training.quantizer.averageCodes': 'Decay of codes that are averages of their vectors. Default: codes are trained.',
  'training.quantizer.entropyWeight': 'Weight of the entropy loss, against unused codes. Default 0.',
  'training.discriminator': 'A discriminator to train against, for sharp reconstructions. Default: none.',
  'training.discriminator.start': 'The step from which the adversarial term counts, once reconstructions are good.',
  'training.discriminator.trainedFrom': 'The step from which the discriminator is trained. Default 0.',
  'training.discriminator.weight': 'Weight of the adversarial term. Default 0.8.',
  'training.discriminator.adaptive': 'Whether the weight follows the norms of the gradients. Default true.',
  'training.discriminator.loss': 'The loss of the discriminator. Default "hinge".',
  'training.discriminator.leCam': 'LeCam regularization, for small datasets. Default: none.',
  'training.discriminator.layers': 'Number of its convolutions of stride 2. Default 3.',
  'training.discriminator.width': 'Channels of its first layer. Default 64.',
  'training.discriminator.norm': 'Its normalization. Default "batch".',
  'training.restartEvery': 'Steps after which unused codes restart, or 0 for never. Default: ten runs of the graph.',
  'training.flip': 'Whether half of the images are flipped horizontally. Default false.',
  'training.accumulation': 'Batches whose gradients are averaged before a step. Default 1.',
  'training.optimizer':
    'The optimizer: "adamw" (default), "adafactor", which needs less memory, "shampoo" of the published training, or "muon".',
  'training.shampoo': 'Options of the optimizer "shampoo".',
  'training.shampoo.blockSize': 'Longer axes are divided into blocks of this length. Default 1024.',
  'training.shampoo.beta1': 'Decay of the mean of updates. Default 0.9.',
  'training.shampoo.beta2': 'Decay of the statistics. Default 0.999.',
  'training.shampoo.graft': 'The rule from which the length of an update is taken. Default "rmsprop_normalized".',
  'training.shampoo.preconditionEvery': 'Steps after which the preconditioners are computed again. Default 10.',
  'training.shampoo.preconditionFrom': 'Steps before preconditioned updates are applied. Default 101.',
  'training.shampoo.maxDimension': 'A parameter with a longer axis is not preconditioned. Default 4096.',
  'training.shampoo.diagonalEpsilon': 'Added to the root mean square of gradients. Default 1e-10.',
  'training.shampoo.matrixEpsilon':
    'Added to the diagonal of statistics, relative to their largest eigenvalue. Default 1e-6.',
  'training.shampoo.nesterov': "Whether to use Nesterov's momentum. Default false.",
  'training.shampoo.exclude':
    'Names of parameters that are not preconditioned, with * for any characters. Default: none.',
  'training.captionDropout': 'Share of captions that are replaced by the empty one, for guidance. Default 0.1.',
  'training.tokenNoise': 'Largest share of tokens that are replaced by random ones; 1 for small datasets. Default 0.',
  'training.textLossWeight':
    'Weight of the loss of text tokens of decoder-only models, relative to that of image tokens. Default 1/7.',
  name: 'The name of the resulting model. Default: the name of the folder.',
  license: 'The SPDX identifier of the license of the resulting model. Default: that of the model to fine-tune.',
  imageTokenizer: 'A VQ-GAN: a folder, or a hub name. Default: that of the model to fine-tune.',
  priorPrompts:
    'Captions of images that the model to fine-tune generates first, to train on too, so that it forgets less. Default: none.',
  vqgan: 'Fine-tunes the VQ-GAN on the images before the decoder is trained. Default: it stays as it is.',
  'vqgan.steps': 'Number of steps. 0 leaves the VQ-GAN as it is.',
  'vqgan.checkpointEvery': 'Steps between two checkpoints. Default: 50 runs of the graph.',
  'vqgan.evaluateEvery': 'Steps between two evaluations. Default: 50 runs of the graph.',
  'vqgan.result': 'The step whose VQ-GAN is used: the one with the best reconstructions (default) or the last one.',
  'vqgan.earlyStopping': 'Ends this training early if reconstructions do not improve.',
  'vqgan.training': 'How to train it, with the fields of the settings of dalle-mini train vqgan.',
  textEncoder: 'The text encoder. Default: that of the model to fine-tune, frozen.',
  'textEncoder.folder': 'A text encoder of Hugging Face or of a DALL·E Mini: a folder, or a hub name.',
  'textEncoder.maxLength': 'Length of captions in tokens. Default: that of the model, or 64.',
  'textEncoder.train': 'Whether the text encoder is trained too. Default false.',
  'textEncoder.tokenizer': 'For DALL·E Mini: the tokenizer of the published code, or of min-dalle.',
  device:
    'What computes: the processor with ONNX Runtime ("cpu", the default), or with XLA ("xla-cpu"), GPUs of NVIDIA, or TPUs.',
  mesh: 'The devices that train together. Default: one device.',
  'mesh.data': 'Number of parts into which a batch is divided. Default 1.',
  'mesh.model': 'Number of parts into which the rules of sharding divide parameters. Default 1.',
  sharding:
    'Where the parameters are: whole on every device (default), divided over mesh.data ("fsdp"), or by rules over mesh.model.',
  compute: 'The element type of products of matrices and of convolutions. Default "float32".',
  tensorboard: 'Whether metrics are also written as event files of TensorBoard. Default false.',
  samplePrompts: 'Captions of the images that each evaluation generates.',
  sampling: 'Sampling options for these images, and the defaults of the resulting model.',
};

/** Returns the JSON Schema of the settings of a kind of training. */
export function settingsSchema(kind: SettingsKind): JsonSchema {
  const { schema } = kind === 'vqgan' ? vqganSettingsField('.') : decoderSettingsField('.');
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: kind === 'vqgan' ? 'Settings of dalle-mini train vqgan' : 'Settings of dalle-mini train decoder',
    ...described(schema!, ''),
  };
}

/** Returns the path of the file with a JSON Schema of {@link settingsSchema}, in this package. */
export function settingsSchemaFile(kind: SettingsKind): string {
  return fileURLToPath(new URL(`../../schemas/${kind}.json`, import.meta.url));
}

/** Adds the descriptions of the settings below `path` to a schema of an object. */
function described(schema: JsonSchema, path: string): JsonSchema {
  const properties = schema.properties as Readonly<Record<string, JsonSchema>> | undefined;
  if (properties === undefined) return schema;
  const entries = Object.entries(properties).map(([name, property]): [string, JsonSchema] => {
    const place = path === '' ? name : `${path}.${name}`;
    const description = descriptions[place];
    return [name, { ...(description === undefined ? {} : { description }), ...described(property, place) }];
  });
  return { ...schema, properties: Object.fromEntries(entries) };
}
