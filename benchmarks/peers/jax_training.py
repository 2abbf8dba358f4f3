"""What the peers in JAX share: their options, rounding to bfloat16, AdamW, and the training loop."""

import argparse

import jax
import jax.numpy as jnp
import optax

from measure import measure

# Products in float32 have operands in float32, as on the other sides.
jax.config.update("jax_default_matmul_precision", "highest")


def parse_options(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, help="not used: JAX takes all")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    args = parser.parse_args()
    jax.config.update("jax_platforms", args.device)
    return args


def train(args, parameters, loss_of, optimizer, batch, *, items, unit):
    """Takes steps on one batch. `loss_of(parameters, batch)` is the loss. Parameters stay in float32."""
    state = optimizer.init(parameters)

    def update(parameters, state):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, batch)
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state, loss

    update = jax.jit(update, donate_argnums=(0, 1))

    def step():
        nonlocal parameters, state
        parameters, state, loss = update(parameters, state)
        return float(loss)

    details = ", bfloat16" if args.dtype == "bfloat16" else ""
    engine = f"JAX {jax.__version__}{details}"
    measure(step, engine=engine, warmup=args.warmup, steps=args.steps, items=items, unit=unit)


def rounded(dtype):
    """Returns a function that rounds the operands of a product to an element type."""
    return lambda *operands: tuple(operand.astype(jnp.dtype(dtype)) for operand in operands)
