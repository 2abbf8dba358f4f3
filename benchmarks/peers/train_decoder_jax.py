"""JAX's side of the decoder training benchmark: the model of train_decoder.py.

    pip install "jax[cuda13]" optax
    python benchmarks/peers/train_decoder_jax.py --device cuda --dtype bfloat16 --steps 50
"""

import jax
import jax.numpy as jnp
import optax

from jax_training import parse_options, rounded, train

VOCABULARY, LENGTH, WIDTH, LAYERS, HEADS, BATCH = 1024, 192, 384, 6, 6, 16


def initial_parameters(key):
    keys = iter(jax.random.split(key, 3 + 4 * LAYERS))

    def normal(shape, scale=0.02):
        return scale * jax.random.normal(next(keys), shape)

    out = 0.02 / (2 * LAYERS) ** 0.5
    return {
        "tokens": normal((VOCABULARY, WIDTH)),
        "positions": normal((LENGTH, WIDTH)),
        "blocks": [
            {
                "attention_norm": jnp.ones(WIDTH),
                "qkv": normal((WIDTH, 3 * WIDTH)),
                "attention_out": normal((WIDTH, WIDTH), out),
                "mlp_norm": jnp.ones(WIDTH),
                "mlp_in": normal((WIDTH, 4 * WIDTH)),
                "mlp_out": normal((4 * WIDTH, WIDTH), out),
            }
            for _ in range(LAYERS)
        ],
        "norm": jnp.ones(WIDTH),
        "head": normal((WIDTH, VOCABULARY)),
    }


def norm(x, gain):
    centered = x - x.mean(-1, keepdims=True)
    return gain * centered * jax.lax.rsqrt((centered**2).mean(-1, keepdims=True) + 1e-5)


def logits_of(parameters, tokens, cast):
    def product(x, w):
        return jnp.matmul(*cast(x, w)).astype(jnp.float32)

    mask = jnp.tril(jnp.ones((LENGTH, LENGTH), bool))
    x = parameters["tokens"][tokens] + parameters["positions"]
    for block in parameters["blocks"]:
        h = product(norm(x, block["attention_norm"]), block["qkv"])
        q, k, v = (t.reshape(BATCH, LENGTH, HEADS, -1).swapaxes(1, 2) for t in jnp.split(h, 3, 2))
        scores = product(q, k.swapaxes(2, 3)) * q.shape[3] ** -0.5
        weights = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))
        x = x + product(product(weights, v).swapaxes(1, 2).reshape(BATCH, LENGTH, WIDTH), block["attention_out"])
        h = jax.nn.gelu(product(norm(x, block["mlp_norm"]), block["mlp_in"]), approximate=False)
        x = x + product(h, block["mlp_out"])
    return product(norm(x, parameters["norm"]), parameters["head"])


def main():
    args = parse_options(__doc__)
    cast = rounded(args.dtype)
    keys = jax.random.split(jax.random.key(0))
    tokens = jax.random.randint(keys[0], (BATCH, LENGTH + 1), 0, VOCABULARY)

    def loss_of(parameters, tokens):
        logits = logits_of(parameters, tokens[:, :-1], cast)
        return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()

    # As in nanoGPT, matrices decay and the gains of the norms do not.
    decays = lambda parameters: jax.tree.map(lambda p: p.ndim == 2, parameters)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(3e-4, b1=0.9, b2=0.95, weight_decay=0.1, mask=decays)
    )
    train(args, initial_parameters(keys[1]), loss_of, optimizer, tokens, items=BATCH * LENGTH, unit="tokens")


if __name__ == "__main__":
    main()
