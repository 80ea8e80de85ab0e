"""Load the model of a task on its device: `load_model(device, …)`.

Reads safetensors and JSON only, from folders of the bundle; nothing is fetched and no code of a
checkpoint is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.distilbert.configuration_distilbert import DistilBertConfig
from transformers.models.distilbert.modeling_distilbert import DistilBertForSequenceClassification
from transformers.utils import logging as transformers_logging

from ...attempts.attempt import TaskError
from ...ml.devices import DTYPES
from . import convert

WEIGHTS = "model.safetensors"
_NO_MODEL = (OSError, ValueError, KeyError, TypeError, SafetensorError, ImportError)


class MeanPooled(DistilBertForSequenceClassification):  # type: ignore[misc]
    """The same model and weights, classifying the mean of all real tokens instead of the first.

    Sentence encoders such as MiniLM were trained for their mean; their first token knows less.
    """

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        hidden = self.distilbert(input_ids=input_ids, attention_mask=attention_mask)[0]
        pooled = mean_of_tokens(hidden, attention_mask)
        logits = self.classifier(torch.relu(self.pre_classifier(pooled)))
        return SequenceClassifierOutput(logits=logits)


def mean_of_tokens(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Average (samples, width, dim) over the tokens whose mask is 1: (samples, dim)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


@dataclass(frozen=True)
class Model:
    """A model in evaluation mode on its device."""

    module: Any
    """Callable: (input_ids, attention_mask) -> object with `logits` (batch, labels)."""
    config: Any
    parameters: int
    load_s: float
    """Reading, converting, moving to the device [s]; imports are not part of it."""
    checkpoint_sha256: Optional[str]
    """Of the weights file; None for random weights."""
    accuracy_reason: Optional[str]
    """Why accuracy says nothing about this model; None when it does."""


def load_model(
    device: str,
    settings: Mapping[str, Any],
    *,
    dtype: str = "float32",
    attention: str = "sdpa",
    resolve: Callable[[str], Any] = Path,
) -> Model:
    """Load what `settings` (the block `model`) describes.

    resolve: turns "input:<name>" into its path.
    Raises TaskError (model_load) that says what does not fit.
    """
    started = time.perf_counter()
    try:
        if settings.get("checkpoint"):
            fields, weights, digest = _read_checkpoint(settings, resolve)
        else:
            fields, weights, digest = dict(settings["config"]), None, None
        config = _config(fields, settings.get("labels", 2))
        reason = _add_head(settings, resolve, config, weights)
        module = _build(config, weights, settings, dtype, attention)
    except _NO_MODEL as error:
        raise TaskError("model_load", f"the model cannot be loaded: {_say(error)}") from error
    module = module.to(device).eval()
    parameters = sum(p.numel() for p in module.parameters())
    return Model(module, config, parameters, time.perf_counter() - started, digest, reason)


def read_tensors(path: str) -> Dict[str, torch.Tensor]:
    """Read a safetensors file, or a JSON file of nested lists."""
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            return {name: torch.tensor(value) for name, value in json.load(file).items()}
    found: Dict[str, torch.Tensor] = load_file(path)
    return found


def sha256(path: str) -> str:
    """Hash a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            block = file.read(1 << 20)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def _read_checkpoint(
    settings: Mapping[str, Any], resolve: Callable[[str], Any]
) -> Tuple[Dict[str, Any], Dict[str, torch.Tensor], str]:
    folder = str(resolve(settings["checkpoint"]))
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        fields = json.load(file)
    path = os.path.join(folder, WEIGHTS)
    weights = read_tensors(path)
    if settings.get("layout") == "bert":
        fields, weights = convert.distilbert_config(fields), convert.distilbert_encoder(weights)
    return fields, weights, sha256(path)


def _config(fields: Mapping[str, Any], labels: int) -> Any:
    dropped = ("architectures", "model_type", "transformers_version", "torch_dtype", "dtype")
    kept = {name: value for name, value in fields.items() if name not in dropped}
    if "id2label" not in kept:
        kept["num_labels"] = labels
    return DistilBertConfig(**kept)


def _add_head(
    settings: Mapping[str, Any],
    resolve: Callable[[str], Any],
    config: Any,
    weights: Optional[Dict[str, torch.Tensor]],
) -> Optional[str]:
    """Complete the weights with the head; returns why accuracy would say nothing."""
    if weights is None:
        return "the weights are random"
    head = settings.get("head")
    if head:
        tensors = read_tensors(str(resolve(head)))
        layers = convert.head_layers(tensors["weight"], tensors["bias"], config.dim)
        if tensors["bias"].shape[0] != config.num_labels:
            raise ValueError(
                f"the head has {tensors['bias'].shape[0]} labels, the settings {config.num_labels}"
            )
        weights.update(layers)
        return None
    if "classifier.weight" in weights:
        return None
    return "the checkpoint has no head and none is named (model.head): a random one is used"


def _build(
    config: Any,
    weights: Optional[Dict[str, torch.Tensor]],
    settings: Mapping[str, Any],
    dtype: str,
    attention: str,
) -> Any:
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    torch.manual_seed(settings.get("seed", 0))
    mean = settings.get("pooling", "first") == "mean"
    room = MeanPooled if mean else DistilBertForSequenceClassification
    if weights is None:
        config._attn_implementation = attention
        return room(config).to(DTYPES[dtype])
    module, info = room.from_pretrained(
        None,
        config=config,
        state_dict=weights,
        dtype=DTYPES[dtype],
        attn_implementation=attention,
        output_loading_info=True,
    )
    missing = [name for name in info["missing_keys"] if name.startswith("distilbert.")]
    wrong = sorted(missing) + sorted(str(key) for key in info["mismatched_keys"])
    if wrong:
        shown = ", ".join(wrong[:3]) + (", …" if len(wrong) > 3 else "")
        raise ValueError(
            f"{len(wrong)} tensors of the encoder are missing or of another shape ({shown}); "
            "is model.layout right?"
        )
    return module


def _say(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error).strip() or type(error).__name__
