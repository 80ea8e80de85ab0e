"""Small real parts for the inference tests, made on the spot: checkpoint, vocabulary, sentences."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "the", "very"]
TINY = {
    "dim": 32,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 64,
    "vocab_size": 50,
    "max_position_embeddings": 64,
}


def a_bert(folder: Path, *, prefix: str = "") -> BertModel:
    """Write a tiny BERT encoder as a checkpoint folder with its vocabulary; return the model."""
    torch.manual_seed(3)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        vocab_size=50,
        max_position_embeddings=64,
    )
    model = BertModel(config).eval()
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {prefix + name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_dict(), default=str))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return model


def a_head(path: Path, *, labels: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Write a linear head for that model."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(labels, 32, generator=generator)
    bias = torch.randn(labels, generator=generator)
    save_file({"weight": weight, "bias": bias}, path)
    return weight, bias


def sentences(path: Path, rows: int = 12) -> Path:
    """Write number, score and text: good films score 2, bad ones -2, every third 0."""
    scores = [(2.0, -2.0, 0.0)[n % 3] for n in range(rows)]
    texts = [f"{'very ' * (n % 4)}{'good' if s > 0 else 'bad'} film" for n, s in enumerate(scores)]
    lines = [f"{n}\t{s}\t{t}" for n, (s, t) in enumerate(zip(scores, texts, strict=True))]
    path.write_text("\r\n".join(lines) + "\r\n")
    return path
