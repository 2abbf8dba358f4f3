/** minDALL-E as kakaobrain released it: `config.yaml`, and the checkpoint `stage2_last.ckpt`. */
import { boolean, integer, number, object, oneOf, optional, readConfig, refuse, sizeFields } from '@dalle-mini/core';
import { matchParameters } from '@dalle-mini/graph/stored';
import { type Checkpoint, findModel } from '@dalle-mini/weights';
import { decoderParameters } from '../models.js';
import { checkDecoderOnlyConfig, type DecoderOnlyConfig } from './config.js';

const dropout = optional(number({ min: 0, max: 1 }));

/** `Stage2Hparams`, with its defaults. Dropout and `use_head_txt` do not change what is generated. */
const hparams = object(
  {
    embed_dim: optional(sizeFields.width, 1536),
    n_layers: optional(sizeFields.layers, 42),
    n_heads: optional(sizeFields.heads, 24),
    n_dense_layers: optional(sizeFields.layers, 42),
    ctx_len_img: optional(integer({ min: 1 }), 256),
    ctx_len_txt: optional(sizeFields.length, 64),
    embd_pdrop: dropout,
    resid_pdrop: dropout,
    attn_pdrop: dropout,
    mlp_bias: optional(boolean(), true),
    attn_bias: optional(boolean(), true),
    gelu_use_approx: optional(boolean(), false),
    use_head_txt: optional(oneOf([true]), true),
  },
  {
    nullIsAbsent: true,
    check({ n_layers, n_dense_layers, ctx_len_img }, at) {
      if (n_dense_layers !== n_layers) refuse(at('n_dense_layers'), `n_layers, ${n_layers}`, n_dense_layers);
      if (!Number.isInteger(Math.sqrt(ctx_len_img))) refuse(at('ctx_len_img'), 'a square number', ctx_len_img);
    },
  },
);

const releaseConfig = object(
  {
    dataset: optional(
      object(
        {
          tokenizer_type: optional(oneOf(['CharBPE']), 'CharBPE'),
          context_length: optional(sizeFields.length, 64),
        },
        { unknown: 'ignore', nullIsAbsent: true },
      ),
      { tokenizer_type: 'CharBPE', context_length: 64 },
    ),
    stage2: object(
      {
        type: optional(oneOf(['transformer1d']), 'transformer1d'),
        vocab_size_txt: optional(integer({ min: 2, max: 2 ** 25 }), 16384),
        vocab_size_img: optional(sizeFields.vocabularySize, 16384),
        hparams,
      },
      { nullIsAbsent: true },
    ),
  },
  {
    unknown: 'ignore',
    nullIsAbsent: true,
    check({ dataset, stage2 }) {
      const { ctx_len_txt } = stage2.hparams;
      if (dataset.context_length !== ctx_len_txt)
        refuse('dataset.context_length', `stage2.hparams.ctx_len_txt, ${ctx_len_txt}`, dataset.context_length);
    },
  },
);

/**
 * Reads the configuration of the decoder from the parsed `config.yaml` of a minDALL-E. Missing fields have the defaults of
 * the published code.
 *
 * @throws ConfigError that names a field of the file which is unknown, or which this model does not have.
 */
export function importMinDalleEConfig(json: object, source = 'config.yaml'): DecoderOnlyConfig {
  const { vocab_size_txt, vocab_size_img, hparams } = readConfig(releaseConfig, json, source).stage2;
  const given: DecoderOnlyConfig = {
    kind: 'decoder-only',
    vocabularySize: vocab_size_img,
    gridSize: Math.sqrt(hparams.ctx_len_img),
    textVocabularySize: vocab_size_txt,
    textLength: hparams.ctx_len_txt,
    width: hparams.embed_dim,
    layers: hparams.n_layers,
    heads: hparams.n_heads,
    ...(hparams.attn_bias ? {} : { attentionBias: false }),
    ...(hparams.mlp_bias ? {} : { feedForwardBias: false }),
    ...(hparams.gelu_use_approx ? { activation: 'quick_gelu' } : {}),
  };
  return checkDecoderOnlyConfig(given, source);
}

/**
 * Takes the decoder out of the checkpoint of a minDALL-E, `stage2_last.ckpt`, whose names are those used here.
 *
 * @throws CheckpointError that names a tensor which is missing, unknown or of another shape.
 */
export function importMinDalleE(published: Checkpoint, config: DecoderOnlyConfig): Checkpoint {
  const declared = decoderParameters(config);
  const { tensors } = findModel(
    published,
    [...declared.keys()].map((name) => [name]),
  );
  // Causal masks, which some versions of PyTorch Lightning save.
  const weights = new Map([...tensors].filter(([name]) => !name.endsWith('.attn.mask')));
  matchParameters(declared, weights, { isUnneeded: () => false });
  return weights;
}
