"""Writes the steps of the published Distributed Shampoo and of PyTorch's Muon for given gradients.

    pip install jax==0.10.2 flax==0.12.8 optax==0.2.8 chex numpy safetensors torch==2.13.0
    git clone https://github.com/borisdayma/dalle-mini
    python scripts/reference/shampoo.py dalle-mini

writes packages/graph/test/fixtures/shampoo.safetensors:

    parameter/NAME        before the first step
    gradient/STEP/NAME    float16; step 0 is the first
    RUN/STEP/NAME         the parameters after STEP steps with the options of RUN, see below
    muon/STEP/NAME        the same of PyTorch's Muon for the matrices alone, computed in float64

Shampoo runs in float32 with JAX, as it was trained with, divided over one device.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax.experimental import pjit
from safetensors.numpy import save_file

OUTPUT = Path(__file__).resolve().parents[2] / "packages/graph/test/fixtures/shampoo.safetensors"

# The axes of `wide` are longer than a block, `large` is above the limit, and the others have small blocks.
SHAPES = {"wide": (72, 64), "deep": (10, 9), "bias": (66,), "kernel": (3, 3, 2, 2), "large": (130, 2), "scale": (1,)}
STEPS = 20
RATE = 0.02
BASE = dict(
    block_size=32, beta1=0.9, beta2=0.99, diagonal_epsilon=1e-10, matrix_epsilon=1e-6, weight_decay=0.0,
    start_preconditioning_step=7, preconditioning_compute_steps=3, statistics_compute_steps=1,
    best_effort_shape_interpretation=True, nesterov=False, exponent_override=0, num_devices_for_pjit=1,
    shard_optimizer_states=True, inverse_failure_threshold=0.1, moving_average_for_momentum=True,
    skip_preconditioning_dim_size_gt=128, clip_by_scaled_gradient_norm=None, precision=jax.lax.Precision.HIGHEST,
)  # fmt: skip
RUNS = {
    "rmsprop_normalized": {},
    "rmsprop, Nesterov, decay": dict(nesterov=True, weight_decay=0.1, graft="rmsprop"),
    "adagrad_normalized, every step": dict(preconditioning_compute_steps=1, start_preconditioning_step=2, graft="adagrad_normalized"),
    "adagrad": dict(graft="adagrad"),
    "sgd": dict(graft="sgd"),
    "sqrt_n": dict(graft="sqrt_n"),
}


def load(checkout: Path):
    """Imports the published code, which is written for a JAX with other names."""
    for name in ("flatten", "unflatten", "map"):
        setattr(jax, f"tree_{name}", getattr(jax.tree_util, f"tree_{name}"))
    # On one device nothing is divided.
    pjit.with_sharding_constraint = lambda x, _: x
    pjit.PartitionSpec = jax.sharding.PartitionSpec
    sys.path.insert(0, str(checkout / "tools/train"))
    from scalable_shampoo import distributed_shampoo

    return distributed_shampoo


def run(module, parameters, gradients, options):
    options = dict(options)
    graft = module.GraftingType[options.pop("graft", "rmsprop_normalized").upper()]
    optimizer = module.distributed_shampoo(RATE, **{**BASE, **options}, graft_type=graft)
    state = optimizer.init(parameters).init_fn(parameters)
    update = jax.jit(optimizer.update)
    steps = []
    for gradient in gradients:
        updates, state = update(gradient, state, parameters)
        parameters = jax.tree_util.tree_map(jnp.add, parameters, updates)
        steps.append(parameters)
    return steps


def run_muon(parameters, gradients):
    matrices = {name: torch.tensor(np.asarray(value), dtype=torch.float64, requires_grad=True) for name, value in parameters.items() if value.ndim == 2}
    optimizer = torch.optim.Muon(matrices.values(), lr=RATE, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    # It rounds gradients to bfloat16, to which nothing can be compared closely.
    torch.Tensor.bfloat16 = torch.Tensor.clone
    for gradient in gradients:
        for name, value in matrices.items():
            value.grad = torch.tensor(np.asarray(gradient[name]), dtype=torch.float64)
        optimizer.step()
    return {name: value.detach().numpy().astype(np.float32) for name, value in matrices.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dalle_mini", type=Path, help="path of a checkout of borisdayma/dalle-mini")
    module = load(parser.parse_args().dalle_mini)
    random = np.random.default_rng(0)
    sample = lambda: {name: random.standard_normal(shape).round(2).astype(np.float32) for name, shape in SHAPES.items()}
    parameters = sample()
    directions = sample()
    # Gradients with a common part, and of different sizes.
    gradients = [
        {name: ((directions[name] + noise) * (0.01 if name == "deep" else 0.5)).astype(np.float16).astype(np.float32) for name, noise in sample().items()}
        for _ in range(STEPS)
    ]
    tensors = {f"parameter/{name}": value for name, value in parameters.items()}
    tensors |= {f"gradient/{step}/{name}": value.astype(np.float16) for step, table in enumerate(gradients) for name, value in table.items()}
    for name, options in RUNS.items():
        steps = run(module, parameters, gradients, options)
        tensors |= {f"{name}/{step}/{key}": np.asarray(value) for step in (8, STEPS) for key, value in steps[step - 1].items()}
    tensors |= {f"muon/{STEPS}/{key}": value for key, value in run_muon(parameters, gradients).items()}
    save_file(tensors, OUTPUT)
