import { ConfigError, describeValue, quote } from '@dalle-mini/core';

/** A value with which an option changes nothing. */
function isOff(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === false ||
    value === 0 ||
    value === '' ||
    value === 'none' ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  );
}

type Config = Readonly<Record<string, unknown>>;

/**
 * Options of published models that change what is computed, and the values, besides those that turn an option off,
 * with which they do not.
 */
const options: readonly (readonly [name: RegExp, isUsual?: (value: unknown, config: Config) => boolean])[] = [
  [/^quantization(_config)?$/],
  [/alibi|(^|_)(rope|rotary)(_|$)|^xpos/],
  [/layer_?scale|^ls_init/],
  [/(^|_)(glu|gated?|moe|num_experts|num_local_experts)(_|$)/],
  [/^(use_)?qk_?(layer)?_?norm/],
  [/^(pre_?norm|norm_first|do_layer_norm_before|sandwich_norm|sub_?ln|deep_?norm)$/],
  [/^(norm_type|layer_norm_type|normalization_type)$/, (value) => /^layer_?norm$/i.test(String(value))],
  [/^rms_norm/],
  [/^embedding_size$/, (value, { hidden_size }) => value === hidden_size],
  [/^embedding_(multiplier|scale)$/, (value) => value === 1],
  [/^num_key_value_heads$/, (value, { num_attention_heads }) => value === num_attention_heads],
  [/^head_dim$/, (value, { hidden_size, num_attention_heads: heads }) => value === Number(hidden_size) / Number(heads)],
  [/^(attention_window|sliding_window|local_attention)/],
  [/^(attention_type|attn_type)$/, (value) => /^(vanilla|full|original_full)$/.test(String(value))],
  [/^(conv_kernel_size|head_ratio|use_conv\w*|conv_pooling)$/],
  [/^(logit_bias|use_logit_bias|vision_use_head)$/],
  [/^(tanh_out|use_linear_attn|use_timestep|use_3d_conv|temporal_\w+)$/],
  [/^(num_groups|norm_num_groups)$/, (value) => value === 32],
  [/^(act_fn|non_?linearity)$/, (value) => /^(swish|silu)$/.test(String(value))],
];

/**
 * Refuses the options of a published configuration that change what is computed and that its reader does not know, such
 * as rotary positions or gates. Other fields, of training and of generating, are ignored.
 *
 * @param config The parsed configuration, or a part of it.
 * @param source Path of the file, for the message.
 * @param path Where the part lies in the file, such as `vision_config.`.
 * @param read The names of the fields that the reader knows.
 * @throws ConfigError that names the option.
 */
export function refuseUnknownOptions(config: object, source: string, path = '', read: readonly string[] = []): void {
  const given = config as Config;
  for (const [name, value] of Object.entries(given)) {
    if (read.includes(name) || isOff(value)) continue;
    const option = options.find(([pattern]) => pattern.test(name));
    if (option === undefined || option[1]?.(value, given)) continue;
    throw new ConfigError(
      source,
      `${path}${name}`,
      `is ${typeof value === 'string' ? quote(value) : describeValue(value)}, an option that changes what the model computes and is not supported. Use a model without it.`,
    );
  }
}
