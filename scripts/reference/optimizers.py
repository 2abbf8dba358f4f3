"""Writes the updates of PyTorch's optimizers and transformers' Adafactor for given gradients, and a short training run.

    pip install torch==2.13.0 transformers==5.24.0
    python scripts/reference/optimizers.py

writes packages/graph/test/fixtures/optimizers.json. Everything is computed in float64.

    parameters    name → {shape, data}, before the first step
    gradients     one such table per step
    learningRates one number a step
    optimizers    name → the parameters after each step
    clipping      limit → {norm, gradients} of the first step's gradients
    training      a two-layer perceptron: batches, losses, gradient norms and the parameters after the last step
"""

import json
from pathlib import Path

import torch
from torch import nn
from transformers.optimization import Adafactor

OUTPUT = Path(__file__).resolve().parents[2] / "packages/graph/test/fixtures/optimizers.json"

SHAPES = {"layer.weight": (3, 4), "layer.bias": (3,), "conv.weight": (2, 3, 2, 2), "scale": (1,)}
LEARNING_RATES = [0.1, 0.05, 0.2, 0.1, 0.02]


def decaying(parameters, weight_decay):
    """Returns parameter groups in which only parameters with at least two axes decay."""
    matrices = [p for p in parameters.values() if p.dim() >= 2]
    others = [p for p in parameters.values() if p.dim() < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def adafactor(parameters, **options):
    return Adafactor(parameters, lr=1.0, relative_step=False, scale_parameter=False, **options)


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p.values()),
    "sgd momentum 0.9": lambda p: torch.optim.SGD(p.values(), momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p.values()),
    "adam beta1 0.8 beta2 0.95 epsilon 0.01": lambda p: torch.optim.Adam(p.values(), betas=(0.8, 0.95), eps=0.01),
    "adamW": lambda p: torch.optim.AdamW(decaying(p, 0.01)),
    "adamW weightDecay 0.1 everywhere": lambda p: torch.optim.AdamW(p.values(), weight_decay=0.1),
    "adafactor": lambda p: adafactor(p.values()),
    "adafactor clipThreshold 0.5 decayExponent -0.6 weightDecay 0.1": lambda p: adafactor(
        p.values(), clip_threshold=0.5, decay_rate=-0.6, weight_decay=0.1
    ),
}


def table(tensors):
    return {name: {"shape": list(t.shape), "data": t.detach().flatten().tolist()} for name, t in tensors.items()}


def exact(tensor):
    """Rounds to float32, so that a float32 program starts from the same numbers."""
    return tensor.float().double()


def main():
    torch.manual_seed(1)
    initial = {name: exact(torch.randn(shape, dtype=torch.float64)) for name, shape in SHAPES.items()}
    gradients = []
    for step in range(len(LEARNING_RATES)):
        # Gradients of different sizes from step to step. One of them is all zero.
        scale = [1.0, 10.0, 0.0, 0.1, 3.0][step]
        gradients.append({name: exact(scale * torch.randn(shape, dtype=torch.float64)) for name, shape in SHAPES.items()})
    # A row without a gradient, such as the row of an unused embedding.
    for table_of_step in gradients:
        table_of_step["layer.weight"][1] = 0

    results = {}
    for label, make in OPTIMIZERS.items():
        parameters = {name: nn.Parameter(value.clone()) for name, value in initial.items()}
        optimizer = make(parameters)
        results[label] = []
        for step, rate in enumerate(LEARNING_RATES):
            for group in optimizer.param_groups:
                group["lr"] = rate
            for name, parameter in parameters.items():
                parameter.grad = gradients[step][name].clone()
            optimizer.step()
            results[label].append(table(parameters))

    clipping = {}
    for limit in (0.5, 1000.0):
        parameters = {name: nn.Parameter(value.clone()) for name, value in initial.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradients[0][name].clone()
        norm = nn.utils.clip_grad_norm_(parameters.values(), limit)
        clipping[str(limit)] = {"norm": norm.item(), "gradients": table({n: p.grad for n, p in parameters.items()})}

    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(
        json.dumps(
            {
                "parameters": table(initial),
                "gradients": [table(step) for step in gradients],
                "learningRates": LEARNING_RATES,
                "optimizers": results,
                "clipping": clipping,
                "training": training(),
            }
        )
        + "\n"
    )


def training():
    """Takes six steps of AdamW on a perceptron, each with the mean gradient of two batches, clipped to norm 1."""
    steps, accumulation, batch = 6, 2, 5
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)).double()
    names = {"0.weight": "fc1.weight", "0.bias": "fc1.bias", "2.weight": "fc2.weight", "2.bias": "fc2.bias"}
    parameters = {names[name]: p for name, p in model.named_parameters()}
    for parameter in parameters.values():
        parameter.data = exact(parameter.data * 2)
    before = table(parameters)
    x = exact(torch.randn(steps, accumulation, batch, 4, dtype=torch.float64) * 2)
    labels = torch.randint(3, (steps, accumulation, batch))
    rates = [0.01, 0.02, 0.03, 0.03, 0.02, 0.01]
    optimizer = torch.optim.AdamW(decaying(parameters, 0.05))
    losses, norms = [], []
    for step in range(steps):
        optimizer.zero_grad()
        total = 0.0
        for part in range(accumulation):
            loss = nn.functional.cross_entropy(model(x[step, part]), labels[step, part]) / accumulation
            loss.backward()
            total += loss.item()
        losses.append(total)
        norms.append(nn.utils.clip_grad_norm_(parameters.values(), 1.0).item())
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        optimizer.step()
    return {
        "parameters": before,
        "x": {"shape": list(x.shape), "data": x.flatten().tolist()},
        "labels": {"shape": list(labels.shape), "data": labels.flatten().tolist()},
        "learningRates": rates,
        "losses": losses,
        "gradientNorms": norms,
        "trained": table(parameters),
    }


if __name__ == "__main__":
    main()
