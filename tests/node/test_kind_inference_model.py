"""Loading models: `load_model`, the exactness of what is rewritten, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch
from inference_parts import TINY, a_bert, a_head
from safetensors.torch import load_file, save_file

from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.inference import convert
from specc_runtime.kinds.inference.model import load_model, mean_of_tokens
from specc_runtime.ml.devices import open_device

IDS = torch.tensor([[2, 5, 7, 3, 0, 0], [2, 10, 10, 6, 7, 3]])
MASK = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    bert = a_bert(folder / "bert")
    weight, bias = a_head(folder / "head.safetensors")
    return folder, bert, weight, bias


def settings(folder: Path, **changes: object) -> dict[str, object]:
    return {
        "checkpoint": str(folder / "bert"),
        "layout": "bert",
        "head": str(folder / "head.safetensors"),
        **changes,
    }


@torch.inference_mode()
def logits(model):
    return model.module(input_ids=IDS, attention_mask=MASK).logits


@torch.inference_mode()
def hidden(bert):
    return bert(input_ids=IDS, attention_mask=MASK).last_hidden_state


def test_a_bert_read_as_distilbert_gives_its_logits_on_the_first_token(parts):
    folder, bert, weight, bias = parts
    expected = hidden(bert)[:, 0] @ weight.T + bias
    assert (logits(load_model("cpu", settings(folder))) - expected).abs().max() < 1e-5


def test_pooling_mean_classifies_the_mean_of_the_real_tokens(parts):
    folder, bert, weight, bias = parts
    by_hand = torch.stack([hidden(bert)[0, :4].mean(dim=0), hidden(bert)[1].mean(dim=0)])
    found = logits(load_model("cpu", settings(folder, pooling="mean")))
    assert (found - (by_hand @ weight.T + bias)).abs().max() < 1e-5


def test_mean_of_tokens_leaves_padding_out():
    values = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert mean_of_tokens(values, torch.tensor([[1, 1, 0]])).tolist() == [[2.0]]


def test_a_prefix_before_the_encoder_and_other_heads_do_not_matter(parts, tmp_path):
    folder, *_ = parts
    a_bert(tmp_path / "bert", prefix="bert.")
    other = load_model("cpu", settings(folder, checkpoint=str(tmp_path / "bert")))
    assert torch.equal(logits(other), logits(load_model("cpu", settings(folder))))


def test_a_json_head_is_as_good_as_a_safetensors_one(parts, tmp_path):
    folder, _, weight, bias = parts
    head = tmp_path / "head.json"
    head.write_text(json.dumps({"weight": weight.tolist(), "bias": bias.tolist()}))
    assert torch.equal(
        logits(load_model("cpu", settings(folder, head=str(head)))),
        logits(load_model("cpu", settings(folder))),
    )


def test_the_head_is_exact_in_bfloat16_up_to_its_rounding():
    weight, bias = torch.tensor([[1.0, -2.0, 0.5, 4.0]]), torch.tensor([0.25])
    layers = {k: v.bfloat16() for k, v in convert.head_layers(weight, bias, 4).items()}
    x = torch.tensor([0.5, 0.25, -1.0, 0.125]).bfloat16()
    inner = torch.relu(layers["pre_classifier.weight"] @ x + layers["pre_classifier.bias"])
    assert (layers["classifier.weight"] @ inner).tolist() == [0.25]


def test_the_model_knows_its_size_its_hash_and_its_time(parts):
    folder, *_ = parts
    model = load_model("cpu", settings(folder))
    assert model.parameters == sum(p.numel() for p in model.module.parameters())
    assert len(model.checkpoint_sha256) == 64
    assert model.load_s > 0
    assert model.accuracy_reason is None


def test_random_weights_follow_their_seed():
    one, again, other = (
        load_model("cpu", {"config": TINY, "seed": seed, "labels": 3}) for seed in (1, 1, 2)
    )
    assert torch.equal(logits(one), logits(again))
    assert not torch.equal(logits(one), logits(other))
    assert logits(one).shape == (2, 3)
    assert one.accuracy_reason == "the weights are random"
    assert one.checkpoint_sha256 is None


def test_dtype_and_attention_are_what_was_asked_for():
    model = load_model("cpu", {"config": TINY}, dtype="bfloat16", attention="eager")
    assert {p.dtype for p in model.module.parameters()} == {torch.bfloat16}
    assert model.config._attn_implementation == "eager"


def test_eager_and_sdpa_agree():
    eager, sdpa = (
        logits(load_model("cpu", {"config": TINY}, attention=a)) for a in ("eager", "sdpa")
    )
    assert (eager - sdpa).abs().max() < 1e-5


def test_a_distilbert_checkpoint_is_read_as_it_is(tmp_path):
    model = load_model("cpu", {"config": TINY, "seed": 4})
    save_file(dict(model.module.state_dict()), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(model.config.to_dict(), default=str))
    again = load_model("cpu", {"checkpoint": str(tmp_path)})
    assert torch.equal(logits(again), logits(model))
    assert again.accuracy_reason is None


def test_without_a_head_accuracy_is_not_claimed(parts):
    folder, *_ = parts
    model = load_model("cpu", settings(folder, head=None))
    assert model.accuracy_reason.startswith("the checkpoint has no head")


def refused(**changes: object) -> str:
    with pytest.raises(TaskError) as caught:
        load_model("cpu", changes)
    assert caught.value.category == "model_load"
    return caught.value.message


def test_a_wrong_layout_is_named(parts):
    folder, *_ = parts
    message = refused(checkpoint=str(folder / "bert"), layout="distilbert")
    assert "is model.layout right?" in message


def test_a_missing_checkpoint_names_the_file(tmp_path):
    message = refused(checkpoint=str(tmp_path))
    assert message == (
        f"the model cannot be loaded: {tmp_path}/config.json: No such file or directory"
    )


def test_a_head_of_another_shape_is_refused(parts, tmp_path):
    folder, *_ = parts
    save_file({"weight": torch.ones(2, 16), "bias": torch.ones(2)}, tmp_path / "h.safetensors")
    message = refused(**settings(folder, head=str(tmp_path / "h.safetensors")))
    assert "weight (2, 16), bias (2,); the model needs (labels, 32) and (labels,)" in message


def test_a_head_of_other_labels_is_refused(parts, tmp_path):
    folder, *_ = parts
    a_head(tmp_path / "h.safetensors", labels=3)
    message = refused(**settings(folder, head=str(tmp_path / "h.safetensors")))
    assert message.endswith("the head has 3 labels, the settings 2")


def test_a_damaged_weights_file_is_refused(parts, tmp_path):
    folder, *_ = parts
    (tmp_path / "config.json").write_bytes((folder / "bert/config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0notjson!")
    assert refused(checkpoint=str(tmp_path), layout="bert").startswith("the model cannot be loaded")


def test_a_bert_that_distilbert_cannot_be_is_refused():
    with pytest.raises(ValueError, match="absolute"):
        convert.distilbert_config({"position_embedding_type": "relative_key"})
    with pytest.raises(ValueError, match="layer_norm_eps"):
        convert.distilbert_config({"layer_norm_eps": 1e-5})


def test_too_many_labels_for_the_hidden_layer_are_refused():
    with pytest.raises(ValueError, match="3 labels do not fit into a hidden layer of 4"):
        convert.head_layers(torch.ones(3, 4), torch.ones(3), 4)


def test_the_shipped_head_fits_a_model_of_384_dimensions():
    head = load_file(Path(__file__).parents[2] / "specs/inference/head.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in head.items()} == {
        "weight": (2, 384),
        "bias": (2,),
    }


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_a_gpu_failure_with_advice():
    with pytest.raises(TaskError) as caught:
        open_device("cuda")
    assert caught.value.category == "gpu"
    assert "accelerator" in caught.value.suggestion or "task.gpus" in caught.value.suggestion
