"""Rewrite weights in memory: BERT encoders as DistilBERT, a linear head as DistilBERT's two layers.

Both rewritings are exact. DistilBERT is BERT without token types and pooler; a sentence of one
segment always adds token type 0, so that row is added to every position instead.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

import torch

Weights = Dict[str, torch.Tensor]

# order matters: "attention.output" before "output"
_LAYER_NAMES = (
    ("attention.self.query", "attention.q_lin"),
    ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"),
    ("intermediate.dense", "ffn.lin1"),
    ("output.dense", "ffn.lin2"),
    ("output.LayerNorm", "output_layer_norm"),
)
_CONFIG_NAMES = (
    ("hidden_size", "dim"),
    ("num_hidden_layers", "n_layers"),
    ("num_attention_heads", "n_heads"),
    ("intermediate_size", "hidden_dim"),
    ("vocab_size", "vocab_size"),
    ("max_position_embeddings", "max_position_embeddings"),
    ("hidden_act", "activation"),
    ("pad_token_id", "pad_token_id"),
)


def distilbert_config(bert: Mapping[str, Any]) -> Dict[str, Any]:
    """Translate the fields of a BERT config.json. Raises ValueError for what has no counterpart."""
    if bert.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError("only absolute position embeddings can be read as a DistilBERT")
    if bert.get("layer_norm_eps", 1e-12) != 1e-12:
        raise ValueError("layer_norm_eps is not the 1e-12 that DistilBERT has built in")
    return {ours: bert[theirs] for theirs, ours in _CONFIG_NAMES if theirs in bert}


def distilbert_encoder(bert: Mapping[str, torch.Tensor]) -> Weights:
    """Translate the tensors of a BERT encoder, with or without a leading `bert.`.

    Pooler and other heads are left out. Raises KeyError when an embedding is missing.
    """
    plain = {name[5:] if name.startswith("bert.") else name: t for name, t in bert.items()}
    segment = plain["embeddings.token_type_embeddings.weight"][0]
    found: Weights = {
        "distilbert.embeddings.word_embeddings.weight": plain["embeddings.word_embeddings.weight"],
        "distilbert.embeddings.position_embeddings.weight": plain[
            "embeddings.position_embeddings.weight"
        ]
        + segment,
        "distilbert.embeddings.LayerNorm.weight": plain["embeddings.LayerNorm.weight"],
        "distilbert.embeddings.LayerNorm.bias": plain["embeddings.LayerNorm.bias"],
    }
    for name, tensor in plain.items():
        if name.startswith("encoder.layer."):
            found["distilbert.transformer.layer." + _layer_name(name[14:])] = tensor
    return found


def _layer_name(name: str) -> str:
    number, _, rest = name.partition(".")
    for theirs, ours in _LAYER_NAMES:
        if rest.startswith(theirs + "."):
            return f"{number}.{ours}{rest[len(theirs) :]}"
    raise KeyError(name)


def head_layers(weight: torch.Tensor, bias: torch.Tensor, dim: int) -> Weights:
    """Write logits = weight @ x + bias as DistilBERT's Linear, ReLU, Linear.

    weight: (labels, dim), bias: (labels,). The first layer computes z and -z, the second takes
    relu(z) - relu(-z) = z; no constant is added, so no precision is lost in half precision.
    Raises ValueError when the shapes do not fit or 2 x labels exceeds dim.
    """
    labels = weight.shape[0]
    if weight.shape != (labels, dim) or bias.shape != (labels,):
        shapes = f"weight {tuple(weight.shape)}, bias {tuple(bias.shape)}"
        raise ValueError(f"the head has {shapes}; the model needs (labels, {dim}) and (labels,)")
    if 2 * labels > dim:
        raise ValueError(f"{labels} labels do not fit into a hidden layer of {dim}")
    first, first_bias, second = _split(weight.float(), bias.float(), dim)
    return {
        "pre_classifier.weight": first,
        "pre_classifier.bias": first_bias,
        "classifier.weight": second,
        "classifier.bias": torch.zeros(labels),
    }


def _split(
    weight: torch.Tensor, bias: torch.Tensor, dim: int
) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    labels = weight.shape[0]
    first, first_bias, second = torch.zeros(dim, dim), torch.zeros(dim), torch.zeros(labels, dim)
    for sign, start in ((1.0, 0), (-1.0, labels)):
        rows = slice(start, start + labels)
        first[rows] = sign * weight
        first_bias[rows] = sign * bias
        second[:, rows] = sign * torch.eye(labels)
    return first, first_bias, second
