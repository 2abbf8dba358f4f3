"""Creates small text encoders of Hugging Face, in all published file formats, for the text encoder's tests.

    pip install transformers==4.57.6 torch==2.13.0 flax==0.8.5 jax==0.4.30 jaxlib==0.4.30 numpy==1.26.4 scipy==1.14.1 safetensors
    python scripts/reference/hugging_face.py

(transformers 5 has no models of Flax.) It writes to packages/text-encoder/test/fixtures/hugging-face:

    bpe/          vocab.json and merges.txt, of RoBERTa and BART
    wordpiece/    vocab.txt, of BERT and DistilBERT
    tokens.json   captions, and their ids of at most 40 tokens, without padding, by vocabulary and tokenizer_config.json
    models.json   the captions that the models read, of 12 tokens each
    bert/, roberta/, distilbert/, bart/
        tokenizer.json
        config.json, model.safetensors     the bare model
        pytorch_model.bin                  a model with a head, float16
        pytorch_model_legacy.bin           the same, as torch.save wrote before 1.6; of BERT
        flax_model.msgpack                 the same, of Flax
        outputs.safetensors:

            ids, attentionMask             int32   [captions, 12]
            hiddenStates                   float32 [captions, 12, 12]   the last hidden states
            hidden_act="relu" and so on    float32 [captions, 12, 12]   with this instead in config.json
"""

import copy
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from transformers import BartTokenizerFast, BertTokenizerFast, DistilBertTokenizerFast, RobertaTokenizerFast

from minilm import CAPTIONS

FIXTURES = Path(__file__).parents[2] / "packages/text-encoder/test/fixtures/hugging-face"
MAX_TOKENS = 40
MAX_LENGTH = 12

TOKENIZERS = {
    "bpe": {"roberta": RobertaTokenizerFast, "bart": BartTokenizerFast},
    "wordpiece": {"bert": BertTokenizerFast, "distilbert": DistilBertTokenizerFast},
}
TOKENIZER_CONFIGS = {
    "bpe": [{}, {"add_prefix_space": True}],
    "wordpiece": [{}, {"do_lower_case": False}, {"strip_accents": False, "tokenize_chinese_chars": False}],
}
MORE_CAPTIONS = [
    "<s> a <mask> and</s> <pad>b<unk> < mask >",
    "a<mask>b  <mask>  c\n<mask>",
    " leading", "trailing ", "two  spaces", "I'LL don't we'RE it's", "x\u00a0y\u3000z", "10,000 1st 2nd", "a\r\n\r\n b",
    "lone \ud83d high", "\ude00 low", "\ude00\ud83d swapped",
]
MODEL_CAPTIONS = {
    # In RoBERTa, padding within the text does not count as a position.
    "bpe": ["", "a cat", "Café <pad> 😀<mask>", CAPTIONS[-1]],
    "wordpiece": ["", "a cat", "Café [PAD] 😀[MASK]", CAPTIONS[-1]],
}
MODELS = {
    "bert": dict(
        tokenizer="wordpiece", config="BertConfig", head="BertForMaskedLM",
        sizes=dict(hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=16, max_position_embeddings=14),
        options=[("hidden_act", name) for name in ("gelu_fast", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "tanh")],
    ),
    "roberta": dict(
        tokenizer="bpe", config="RobertaConfig", head="RobertaForMaskedLM",
        sizes=dict(
            hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=16, max_position_embeddings=16, type_vocab_size=1,
            layer_norm_eps=1e-5,
        ),
        options=[("hidden_act", "relu"), ("pad_token_id", 3)],
    ),
    "distilbert": dict(
        tokenizer="wordpiece", config="DistilBertConfig", head="DistilBertForMaskedLM",
        sizes=dict(dim=12, n_layers=2, n_heads=3, hidden_dim=16, max_position_embeddings=14),
        options=[("activation", "relu"), ("sinusoidal_pos_embds", True)],
    ),
    "bart": dict(
        tokenizer="bpe", config="BartConfig", head="BartForConditionalGeneration",
        sizes=dict(
            d_model=12, encoder_layers=2, encoder_attention_heads=3, encoder_ffn_dim=16, max_position_embeddings=14,
            decoder_layers=1, decoder_attention_heads=3, decoder_ffn_dim=4,
        ),
        options=[("activation_function", "relu"), ("scale_embedding", True)],
    ),
}  # fmt: skip


def without_lone_surrogates(text: str) -> str:
    """Replaces lone surrogates, which are not valid Unicode and which the tokenizers library refuses."""
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def train_tokenizers() -> None:
    for name in TOKENIZERS:
        (FIXTURES / name).mkdir(parents=True, exist_ok=True)
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(CAPTIONS, vocab_size=280, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False)
    bpe.save_model(str(FIXTURES / "bpe"))
    wordpiece = BertWordPieceTokenizer()
    wordpiece.train_from_iterator(CAPTIONS, vocab_size=150, limit_alphabet=60, show_progress=False)
    wordpiece.save_model(str(FIXTURES / "wordpiece"))


def load_tokenizer(kind: type, name: str, **config):
    files = {"bpe": {"vocab_file": "vocab.json", "merges_file": "merges.txt"}, "wordpiece": {"vocab_file": "vocab.txt"}}[name]
    return kind(**{argument: str(FIXTURES / name / file) for argument, file in files.items()}, **config)


def token_ids(tokenizer, texts: list[str]) -> list[list[int]]:
    return tokenizer([without_lone_surrogates(text) for text in texts], truncation=True, max_length=MAX_TOKENS)["input_ids"]


def write_tokens() -> None:
    captions = CAPTIONS + MORE_CAPTIONS
    rows = []
    for name, configs in TOKENIZER_CONFIGS.items():
        for config in configs:
            ids, others = (token_ids(load_tokenizer(kind, name, **config), captions) for kind in TOKENIZERS[name].values())
            assert ids == others
            rows.append({"vocabulary": name, "tokenizerConfig": config, "ids": ids})
    write_json("tokens.json", {"maxTokens": MAX_TOKENS, "captions": captions, "tokenizers": rows})
    write_json("models.json", {"maxLength": MAX_LENGTH, "captions": MODEL_CAPTIONS})


def write_json(name: str, value: object) -> None:
    (FIXTURES / name).write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


@torch.no_grad()
def hidden_states(model, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return encoder.eval()(**inputs).last_hidden_state


def flax_hidden_states(model, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    given = {name: np.array(value, np.int32) for name, value in inputs.items()}
    if model.config.is_encoder_decoder:
        return torch.tensor(np.array(model.encode(**given).last_hidden_state))
    return torch.tensor(np.array(model(**given, output_hidden_states=True).hidden_states[-1]))


def write_model(family: str, tokenizer: str, config: str, head: str, sizes: dict, options: list) -> None:
    folder = FIXTURES / family
    folder.mkdir(exist_ok=True)
    reader = load_tokenizer(TOKENIZERS[tokenizer][family], tokenizer)
    (folder / "tokenizer.json").write_text(reader.backend_tokenizer.to_str(), encoding="utf-8")
    torch.manual_seed(0)
    model = getattr(transformers, head)(getattr(transformers, config)(vocab_size=len(reader), **sizes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Large weights, nonzero biases and norm scales other than 1, so that every term of the model changes the result;
            # rounded, so that files of 16 bits have the same values.
            is_scale = "norm" in name.lower() and name.endswith("weight")
            parameter.copy_(parameter.normal_(mean=1.0 if is_scale else 0.0, std=0.3).half().float())
    bare = model.base_model
    bare.save_pretrained(folder)

    half = copy.deepcopy(model).half()
    flax_kind = getattr(transformers, f"Flax{head}")
    with TemporaryDirectory() as temporary:
        half.save_pretrained(temporary, safe_serialization=False)
        shutil.copy(Path(temporary) / "pytorch_model.bin", folder)
    if family == "bert":
        torch.save(half.state_dict(), folder / "pytorch_model_legacy.bin", _use_new_zipfile_serialization=False)
    with TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        flax = flax_kind.from_pretrained(temporary, from_pt=True)
        flax.save_pretrained(temporary, params=flax.to_fp16(flax.params))
        shutil.copy(Path(temporary) / "flax_model.msgpack", folder)

    inputs = dict(reader(MODEL_CAPTIONS[tokenizer], padding="max_length", truncation=True, max_length=MAX_LENGTH, return_tensors="pt"))
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    states = hidden_states(bare, inputs)
    is_token = inputs["attention_mask"].bool()
    assert torch.allclose(flax_hidden_states(flax, inputs)[is_token], states[is_token], atol=1e-4)
    outputs = {
        "ids": inputs["input_ids"].int(),
        "attentionMask": inputs["attention_mask"].int(),
        "hiddenStates": states,
    }
    for field, value in options:
        changed = type(bare)(type(bare.config).from_dict({**bare.config.to_dict(), field: value}))
        state = bare.state_dict()
        if field == "sinusoidal_pos_embds":
            del state["embeddings.position_embeddings.weight"]
        # Not strict, because a new model also has a pooler.
        changed.load_state_dict(state, strict=False)
        others = outputs[f"{field}={json.dumps(value)}"] = hidden_states(changed, inputs)
        assert not torch.allclose(others, states, atol=1e-5)
    save_file(outputs, folder / "outputs.safetensors")


if __name__ == "__main__":
    train_tokenizers()
    write_tokens()
    for family, description in MODELS.items():
        write_model(family, **description)
