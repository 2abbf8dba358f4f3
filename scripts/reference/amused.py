"""Writes aMUSEd's fixtures by running diffusers on small random weights.

    pip install torch==2.13.0 diffusers transformers safetensors
    python scripts/reference/amused.py

writes to packages/testing/fixtures/amused two folders, each in the layout of diffusers (`AmusedPipeline.save_pretrained`), with
`expected.safetensors`: what diffusers computes of it.

    256                  a grid of 4 × 4 tokens; the blocks before and after the transformer have another width than it
    512                  a grid of 8 × 8 tokens, which the first block halves; all widths are the same

    ids                  the captions as the tokenizer of the pipeline reads them, int64 [2, 77]
    hidden, pooled       what the pipeline takes from the text encoder: the hidden states before the last layer, the embeddings
    tokens, logits       tokens of which some are masked, int64 [2, grid, grid], and the logits of all places, [2, places, codes]
    greedy               the tokens of the pipeline with 6 steps and guidance of 3, taking the likeliest token in place of sampling, with
                         a temperature of 0: int64 [2, places]
    pixels               the images that the pipeline decodes from them, [2, 3, size, size]

Weights are stored in half precision, to which they were rounded before. Tokens are the likeliest ones because `torch.multinomial` is
replaced; all else is the code of diffusers. The seed is the first one with which no choice of the greedy tokens is so close that rounding
could decide it.
"""

import itertools
import json
from pathlib import Path

import torch
from diffusers import AmusedPipeline, AmusedScheduler, UVit2DModel, VQModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "packages/testing/fixtures/amused"
TOKENIZER = ROOT / "packages/clip/test/fixtures/tokenizer"
PROMPTS = ["a photo of a cat", "the dogs"]
CODES, ROWS = 40, 48

SHARED = dict(
    cond_embed_dim=20,
    micro_cond_encode_dim=8,
    micro_cond_embed_dim=40,
    encoder_hidden_size=24,
    vocab_size=ROWS,
    codebook_size=CODES,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=40,
    hidden_size=32,
)
SIZES = {
    "256": dict(SHARED, sample_size=4, in_channels=20, block_out_channels=24, num_res_blocks=2, block_num_heads=3),
    "512": dict(
        SHARED,
        sample_size=8,
        in_channels=32,
        block_out_channels=32,
        num_res_blocks=1,
        block_num_heads=4,
        downsample=True,
        upsample=True,
    ),
}


def randomize(module: torch.nn.Module) -> torch.nn.Module:
    """Weights under which activations stay near 1, rounded to half precision."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn_like(parameter)
            if parameter.ndim == 1 and name.endswith("weight"):
                value = 1 + 0.3 * noise
            elif parameter.ndim == 1 or "gamma" in name or "beta" in name:
                value = 0.3 * noise
            else:
                value = noise / (1 if "embed" in name and parameter.ndim == 2 else parameter[0].numel() ** 0.5)
            parameter.copy_(value.half().float())
    return module.eval()


def pipeline_of(sizes: dict) -> AmusedPipeline:
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER, model_max_length=77)
    text = CLIPTextConfig(
        vocab_size=len(json.loads((TOKENIZER / "vocab.json").read_text())),
        hidden_size=24,
        intermediate_size=32,
        projection_dim=20,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    vqvae = VQModel(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        latent_channels=6,
        num_vq_embeddings=CODES,
        norm_num_groups=4,
        mid_block_add_attention=False,
        lookup_from_codebook=True,
    )
    parts = dict(
        vqvae=vqvae, text_encoder=CLIPTextModelWithProjection(text), transformer=UVit2DModel(**sizes)
    )
    return AmusedPipeline(
        **{name: randomize(part) for name, part in parts.items()},
        tokenizer=tokenizer,
        scheduler=AmusedScheduler(mask_token_id=ROWS - 1),
    )


def watch(scheduler: AmusedScheduler) -> list[float]:
    """Collects, in each step, the smallest differences of log-probabilities that decide which tokens are taken and kept."""
    differences: list[float] = []
    step = scheduler.step

    def watched(model_output, timestep, sample, **rest):
        result = step(model_output=model_output, timestep=timestep, sample=sample, **rest)
        best = model_output.flatten(2).transpose(1, 2).log_softmax(-1).topk(2).values
        for row in range(len(sample)):
            masked = sample[row].flatten() == ROWS - 1
            differences.append((best[row, masked, 0] - best[row, masked, 1]).min().item())
            again = result.prev_sample[row].flatten()[masked] == ROWS - 1
            taken = best[row, masked, 0]
            if again.any() and not again.all():
                differences.append((taken[~again].min() - taken[again].max()).item())
        return result

    scheduler.step = watched
    return differences


@torch.no_grad()
def expected_of(pipeline: AmusedPipeline, grid: int) -> dict[str, torch.Tensor]:
    ids = pipeline.tokenizer(PROMPTS, return_tensors="pt", padding="max_length", max_length=77).input_ids
    text = pipeline.text_encoder(ids, output_hidden_states=True)
    hidden, pooled = text.hidden_states[-2], text.text_embeds
    tokens = torch.randint(CODES, (2, grid, grid))
    tokens[torch.rand(tokens.shape) < 0.6] = ROWS - 1
    size = grid * pipeline.vae_scale_factor
    micro = torch.tensor([[size, size, 0, 0, 6.0]] * 2)
    logits = pipeline.transformer(tokens, micro_conds=micro, pooled_text_emb=pooled, encoder_hidden_states=hidden)
    arguments = dict(num_inference_steps=6, guidance_scale=3.0, temperature=(0, 0))
    greedy = pipeline(PROMPTS, output_type="latent", **arguments).images
    pixels = pipeline(PROMPTS, output_type="pt", **arguments).images
    return dict(
        ids=ids,
        hidden=hidden,
        pooled=pooled,
        tokens=tokens,
        logits=logits.flatten(2).transpose(1, 2),
        greedy=greedy.reshape(2, -1),
        pixels=pixels,
    )


def main() -> None:
    torch.multinomial = lambda probabilities, count, generator=None: probabilities.argmax(dim=-1, keepdim=True)
    for name, sizes in SIZES.items():
        folder = TARGET / name
        for seed in itertools.count():
            torch.manual_seed(seed)
            pipeline = pipeline_of(sizes)
            pipeline.set_progress_bar_config(disable=True)
            differences = watch(pipeline.scheduler)
            expected = expected_of(pipeline, sizes["sample_size"])
            if min(differences) > 1e-3:
                break
        pipeline.to(torch.float16).save_pretrained(folder)
        save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")
        print(name, seed, min(differences), expected["greedy"].tolist())


if __name__ == "__main__":
    main()
