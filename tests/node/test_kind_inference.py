"""One task of kind inference from start to end: what it records, and how it refuses."""

import hashlib
import json

import pytest
import torch
from inference_parts import TINY, a_bert, a_head, sentences
from kind_attempts import Ran, run_attempt

MODULE = "specc_runtime.kinds.inference.run"
STOPPING = {"min_batches": 3, "min_seconds": 0.05, "max_seconds": 20}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A task over 40 sentences of 3 to 6 tokens in batches of 3."""
    folder = tmp_path_factory.mktemp("task")
    a_bert(folder / "model")
    a_head(folder / "head.safetensors")
    settings = {
        "model": {
            "checkpoint": "input:model",
            "layout": "bert",
            "head": "input:head.safetensors",
        },
        "tokenizer": "input:model",
        "dataset": {
            "file": "input:sentences",
            "text": 2,
            "label": 1,
            "thresholds": {"below": -1, "above": 1},
        },
        "batch_size": 3,
        "pad_to": 1,
        "warmup": 2,
        "threads": 1,
        "stopping": STOPPING,
        "energy": {"idle_seconds": 0.1, "stated_watts": 100},
        "evaluation": {"samples": 7, "logits": 2},
    }
    inputs = {
        "model": folder / "model",
        "head.safetensors": folder / "head.safetensors",
        "sentences": sentences(folder / "sentences.txt", 60),
    }
    ran = run_attempt(folder, MODULE, settings, inputs=inputs, cpus=2)
    assert ran.outcome["what"] == "done", ran.outcome
    return ran


def timed(ran: Ran) -> list[dict]:
    return [row for row in ran.of("batch") if row["phase"] == "timed"]


def test_records_come_in_the_order_of_the_work(ran):
    kinds = [row["type"] for row in ran.rows if row["type"] != "batch"]
    before, after = (
        ["model", "dataset", "memory", "idle"],
        ["window", "window", "memory", "outputs"],
    )
    assert kinds == before + after


def test_the_model_record_names_what_ran(ran):
    (row,) = ran.of("model")
    weights = (ran.folder / "model/model.safetensors").read_bytes()
    assert row["checkpoint_sha256"] == hashlib.sha256(weights).hexdigest()
    assert (row["device"], row["dtype"], row["attention"]) == ("cpu", "float32", "sdpa")
    assert (row["threads"], row["interop_threads"]) == (1, 1)
    assert row["torch"] == torch.__version__
    assert row["load_s"] > 0


def test_every_shape_is_warmed_up_twice_and_flagged(ran):
    warm = [row for row in ran.of("batch") if row["phase"] == "warmup"]
    shapes = {row["padded_tokens"] for row in timed(ran)}
    assert len(warm) == 2 * len({row["padded_tokens"] for row in warm})
    assert shapes <= {row["padded_tokens"] for row in warm}


def test_timed_batches_are_numbered_and_their_times_fit_into_the_window(ran):
    rows = timed(ran)
    window = ran.of("window")[0]
    assert [row["index"] for row in rows] == list(range(window["batches"]))
    assert 0.5 < sum(row["duration_ns"] for row in rows) / window["duration_ns"] <= 1
    ends = [row["start_ns"] + row["duration_ns"] for row in rows]
    assert all(end <= row["start_ns"] for end, row in zip(ends, rows[1:], strict=False))
    assert all(row["t_ns"] >= row["start_ns"] for row in rows)


def test_real_and_padded_tokens_are_counted_apart(ran):
    first = timed(ran)[0]
    # "good film", "very bad film", "very very very good film": 4 + 5 + 7 with [CLS] and [SEP]
    assert (first["samples"], first["tokens"], first["padded_tokens"]) == (3, 16, 21)


def test_both_passes_carry_their_definition(ran):
    latency, throughput = ran.of("window")
    assert (latency["pass"], latency["definition"]) == ("latency", "latency.v1")
    assert (throughput["pass"], throughput["definition"]) == ("throughput", "throughput.v1")
    assert "synchronisation after each batch" in latency["definition_text"]
    assert "single synchronisation" in throughput["definition_text"]
    assert all(row["stopped_by"] == "rule" for row in (latency, throughput))
    assert throughput["samples"] == 3 * throughput["batches"]


def test_without_a_device_clock_device_time_is_null_with_a_reason(ran):
    row = timed(ran)[0]
    assert row["device_ns"] is None
    assert row["device_ns_reason"] == "no device clock on the CPU"


def test_energy_and_throttle_stand_in_every_window(ran):
    for row in [*ran.of("window"), *ran.of("idle")]:
        (package,) = row["energy"]
        assert package["scope"] in ("package", "node")
        assert (package["joules"] is None) == (package["reason"] is not None)
    assert {"start", "end"} <= set(ran.of("window")[0]["throttle"])


def test_the_idle_machine_is_measured_as_long_as_asked(ran):
    (row,) = ran.of("idle")
    assert 0.1e9 <= row["duration_ns"] < 2e9


def test_peaks_of_loading_and_of_the_steady_state_are_apart(ran):
    load, steady = ran.of("memory")
    assert (load["phase"], steady["phase"]) == ("load", "steady")
    assert load["rss_peak_bytes"] > 50_000_000
    assert load["torch_allocated_bytes"] is None
    assert load["torch_allocated_bytes_reason"] == "the task runs on the CPU"
    known = steady["rss_peak_bytes"] is not None
    assert known == ("rss_peak_bytes_reason" not in steady)


def test_outputs_prove_the_work(ran):
    (row,) = ran.of("outputs")
    assert row["samples"] == 7
    assert [len(logits) for logits in row["logits"]] == [2, 2]
    assert len(row["predictions_sha256"]) == 64
    assert row["accuracy"] * 7 == pytest.approx(round(row["accuracy"] * 7))


def a_speed_study(folder, **changes) -> Ran:
    settings = {
        "model": {"config": TINY},
        "dataset": {"synthetic": {"samples": 6, "tokens": 8}},
        "batch_size": 2,
        "stopping": STOPPING,
        "energy": {"idle_seconds": 0},
        **changes,
    }
    return run_attempt(folder, MODULE, settings)


def test_random_weights_and_tokens_need_no_input_and_claim_no_accuracy(tmp_path):
    one, two = a_speed_study(tmp_path / "1", batch_size=1), a_speed_study(tmp_path / "2")
    first, second = one.of("outputs")[0], two.of("outputs")[0]
    assert first["accuracy"] is None
    assert first["accuracy_reason"] == "the weights are random"
    assert first["predictions_sha256"] == second["predictions_sha256"]
    difference = torch.tensor(first["logits"]) - torch.tensor(second["logits"])
    assert difference.abs().max() < 1e-5
    assert one.of("model")[0]["checkpoint_sha256_reason"] == "the weights are random"
    assert json.dumps(one.rows)


def test_a_pass_that_hits_its_cap_says_so(tmp_path):
    ran = a_speed_study(tmp_path, stopping={"min_batches": 100, "min_seconds": 9, "max_batches": 4})
    assert [(w["batches"], w["stopped_by"]) for w in ran.of("window")] == [(4, "cap")] * 2


def test_batches_wider_than_the_model_are_refused(tmp_path):
    ran = a_speed_study(tmp_path, dataset={"synthetic": {"samples": 2, "tokens": 65}})
    assert ran.outcome["category"] == "program"
    assert ran.outcome["message"] == (
        "a batch is 72 tokens wide, but the model has only 64 positions"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_fails_as_gpu_before_anything_is_loaded(tmp_path):
    ran = a_speed_study(tmp_path, device="cuda")
    assert ran.outcome["category"] == "gpu"
    assert ran.outcome["transient"] is False
    assert ran.rows == []
