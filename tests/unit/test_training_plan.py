"""What the compiler knows of trainings, and the two shipped sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies import HEAD as SPEC_HEAD
from studies import TASK, a_study, tasks

from specc.describe import plan_text
from specc.kinds.training import plan as room
from specc.pipeline import check_spec
from specc.problems import Problem, SpecInvalid

SPECS = Path(__file__).parents[2] / "specs"
HEAD = "kind: training\ninputs: [{name: d, path: /data/d, at: cluster}]\n"
DATA = 'data: {file: "input:d", format: FORMAT}'


def problems(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a study, errors or not."""
    try:
        return a_study(HEAD + text).problems
    except SpecInvalid as refused:
        return refused.problems


def codes(settings: str, *, form: str = "cifar10-binary") -> list[str]:
    """Return the problems of settings; that the input is not pinned is none of theirs."""
    block = f"settings: {{{DATA.replace('FORMAT', form)}, {settings}}}\n"
    found = [one for one in problems(block) if str(one.path).startswith("settings")]
    return [one.code for one in found]


def test_a_training_shares_its_node_and_starts_warm() -> None:
    assert (room.MEASURES, room.WIDE) == (False, False)
    (warm,) = room.fixtures({})
    assert (warm.type, warm.options["imports"][:2]) == ("warm_parent", ["torch", "torch._dynamo"])


def test_usual_settings_have_nothing_against_them() -> None:
    assert codes("epochs: 50") == []


@pytest.mark.parametrize("settings", ["lr: 0", "lr: -0.1", "epochs: 0", "batch_size: 0"])
def test_numbers_that_train_nothing_are_refused(settings: str) -> None:
    assert codes(settings) == ["E106"]


def test_a_batch_larger_than_the_data_is_refused() -> None:
    assert codes("batch_size: 50001") == ["E622"]
    assert "E622" not in codes("batch_size: 50000")
    few = DATA.replace("FORMAT", "idx").replace("}", ", train_samples: 64}")
    found = problems(f"settings: {{{few}, batch_size: 65}}\n")
    assert "E622" in [problem.code for problem in found]


def test_another_number_of_classes_than_the_format_has_is_refused() -> None:
    other = "settings: {data: {file: 'input:d', format: cifar10-binary, classes: 100}}\n"
    (found,) = [one for one in problems(other) if one.code == "E624"]
    assert found.message == "files of the format cifar10-binary have 10 classes, not 100"
    assert (found.path, found.hint) == (
        "settings.data.classes", "leave settings.data.classes out, or make it 10",
    )  # fmt: skip
    assert found.mark is not None
    # other files than MNIST's come in its format
    letters = other.replace("cifar10-binary", "idx").replace("100", "26")
    assert "E624" not in [one.code for one in problems(letters)]


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ("windows: {alpha_early: [15, 5]}", "write the smaller first: [5, 15]"),
        ("windows: {alpha_early: [5, 5]}", "end the window after it begins"),
        ("augmentation: {crop_scale: [1.0, 0.5]}", "write the smaller first: [0.5, 1.0]"),
    ],
)
def test_a_range_that_runs_backwards_is_refused(settings: str, hint: str) -> None:
    (found,) = [one for one in problems(_settings(settings)) if one.code == "E625"]
    assert (found.hint, found.mark is not None) == (hint, True)


def test_an_axis_with_a_rate_of_zero_is_refused_where_it_stands() -> None:
    axis = "matrix: {axes: {lr: [0.1, 0]}}\n"
    (found,) = problems(_settings("lr: '${lr}'") + axis)
    assert (found.code, found.path) == ("E217", "matrix.axes.lr")
    assert "lr=0 does not fit settings.lr: 0 must be greater than 0" in found.message


def test_a_cadence_longer_than_the_run_is_a_warning() -> None:
    short = "epochs: 4, warmup_epochs: 1, windows: {alpha_early: [1, 4]}"
    assert codes(f"{short}, cadences: {{noise_epochs: 5}}") == ["W621"]
    assert codes(f"{short}, cadences: {{curvature_steps: 1561}}") == ["W621"]
    assert codes(f"{short}, cadences: {{curvature_steps: 1560}}") == []


def test_a_warm_up_and_an_early_slope_beyond_the_end_are_warnings() -> None:
    assert codes("epochs: 5, warmup_epochs: 5, windows: {alpha_early: [1, 5]}") == ["W622"]
    assert codes("epochs: 14") == ["W623"]


def test_digits_need_a_share_to_validate_on() -> None:
    assert codes("epochs: 50", form="digits-csv") == ["E621"]


def test_nesterov_needs_a_momentum() -> None:
    assert codes("nesterov: true, momentum: 0") == ["E623"]


def test_a_variant_is_looked_at_with_what_it_changes() -> None:
    points = "matrix: {points: {variant: {base: {}, large: {settings.batch_size: 60000}}}}\n"
    found = [p for p in problems(_settings() + points) if p.code == "E622"]
    assert [problem.path for problem in found] == ["matrix.points.variant.large"]


def test_a_variant_that_overrides_an_unknown_field_is_refused() -> None:
    points = "matrix: {points: {variant: {base: {}, odd: {settings.widht: 0.5}}}}\n"
    found = [p for p in problems(_settings() + points) if p.code.startswith("E1")]
    assert ["widht" in problem.message for problem in found] == [True]


def test_an_override_of_a_misspelt_field_is_told_the_field_that_it_overrides() -> None:
    points = "matrix: {points: {variant: {base: {}, odd: {settings.optimiser: adamw}}}}\n"
    (found,) = [p for p in problems(_settings() + points) if p.code == "E101"]
    assert found.hint == "did you mean 'optimizer'?"


def test_a_batch_of_an_axis_is_held_against_the_data() -> None:
    axis = "matrix: {axes: {batch: [64, 60000]}}\n"
    (found,) = [p for p in problems(_settings("batch_size: '${batch}'") + axis) if p.code == "E622"]
    assert found.path == "matrix.axes.batch"
    assert "60000 images is larger than the 50000" in found.message
    text = f"{SPEC_HEAD}{TASK}{HEAD}{_settings()}{axis}"
    assert found.mark is not None
    assert text.splitlines()[-1][found.mark.column - 1 :].startswith("60000")


def test_epochs_of_an_axis_are_held_against_the_cadences() -> None:
    axis = "matrix: {axes: {epochs: {range: [3, 60]}}}\n"
    text = _settings("epochs: '${epochs}', cadences: {noise_epochs: 5}") + axis
    found = [p for p in problems(text) if p.code == "W621"]
    assert [p.message for p in found] == [
        "noise_epochs: every 5 epochs, but the run has only 3 epochs"
    ]
    assert [p.path for p in found] == ["matrix.axes.epochs.range"]


def test_what_is_left_at_its_default_is_told_at_the_settings() -> None:
    (found,) = [p for p in problems(_settings("epochs: 1")) if "noise_epochs" in p.message]
    assert found.message == "noise_epochs: every 2 epochs, but the run has only 1 epoch"
    lines = f"{SPEC_HEAD}{TASK}{HEAD}{_settings('epochs: 1')}".splitlines()
    assert found.mark is not None
    assert lines[found.mark.line - 1][found.mark.column - 1 :].startswith("settings")


def test_a_seed_given_twice_is_refused() -> None:
    twice = "matrix: {axes: {seed: [0, 1, 1]}}\n"
    (found,) = problems(_settings("seed: '${seed}'") + twice)
    assert (found.code, found.message) == ("E107", "1 stands in the list twice")


@pytest.mark.parametrize(
    ("settings", "matrix", "code", "place"),
    [
        ("batch_size: 60000", "", "E622", "settings.batch_size"),
        ("lr: 0", "", "E106", "settings.lr"),
        ("lr: -1", "", "E106", "settings.lr"),
        ("epochs: 0", "", "E106", "settings.epochs"),
        ("seed: '${seed}'", "axes: {seed: [0, 0]}", "E107", "matrix.axes.seed[1]"),
        (
            "epochs: 50",
            "points: {variant: {odd: {settings.widht: 1}}}",
            "E101",
            "matrix.points.variant.odd.settings.widht",
        ),
        ("cadences: {noise_epochs: 51}", "", "W621", "settings.cadences.noise_epochs"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(
    settings: str, matrix: str, code: str, place: str
) -> None:
    text = _settings(settings) + (f"matrix: {{{matrix}}}\n" if matrix else "")
    (found,) = [one for one in problems(text) if one.code == code]
    assert found.path == place
    assert found.mark is not None
    lines = f"{SPEC_HEAD}{TASK}{HEAD}{text}".splitlines()
    last = place.split(".")[-1].partition("[")[0]
    assert last in lines[found.mark.line - 1]
    assert found.hint


def test_seeds_are_part_of_what_a_task_is() -> None:
    found = tasks(HEAD + _settings("seed: '${seed}'") + "matrix: {axes: {seed: [0, 1]}}\n")
    assert [task.settings["seed"] for task in found] == [0, 1]
    assert len({task.task_id for task in found}) == 2


def _settings(more: str = "epochs: 50") -> str:
    return f"settings: {{{DATA.replace('FORMAT', 'cifar10-binary')}, {more}}}\n"


def test_the_loss_slope_sweep_is_216_runs_two_on_each_gpu() -> None:
    checked = check_spec(SPECS / "training-loss-slope.yaml")
    assert [problem.code for problem in checked.problems if problem.code[0] == "E"] == []
    shapes = checked.plan.shapes
    counts = [sum(len(shard.task_ids) for shard in shape.shards) for shape in shapes]
    assert (counts, [shape.slots for shape in shapes]) == ([54] * 4, [16] * 4)
    memory = sorted(shape.task.gpu_memory_bytes or 0 for shape in shapes)
    assert memory == [2_000_000_000, 4_000_000_000, 5_000_000_000, 6_000_000_000]


def test_the_plan_holds_waves_and_gpu_memory_against_their_limits() -> None:
    checked = check_spec(SPECS / "training-loss-slope.yaml")
    text = plan_text(checked.plan)
    assert "4 waves x 30 min + 00:05:00 to start and stop = 02:05:00 <= 12:00:00" in text
    assert "GPU memory: 2 x 5.6GiB = 11.2GiB <= 44.7GiB" in text
    # 16 workers on one node, each variant with a job of its own
    assert "time of all 4 jobs one after the other: 16 waves, 08:20:00" in text
    assert [line for line in text.splitlines() if line.startswith("  variant:")] == [
        f"  variant: {name}" for name in ("base", "bn_off", "narrow", "adamw")
    ]


def test_the_variants_of_the_sweep_differ_in_what_they_are_named_for() -> None:
    found = {
        task.axes["variant"]: task.settings
        for task in check_spec(SPECS / "training-loss-slope.yaml").expansion.tasks
    }
    assert (found["bn_off"]["model"]["norm"], found["bn_off"]["grad_clip_norm"]) == (False, 1.0)
    assert found["narrow"]["model"]["width_factor"] == 0.5
    assert found["adamw"]["optimizer"] == "adamw"
    assert (found["base"]["epochs"], found["base"]["warmup_epochs"]) == (50, 5)


def test_the_smoke_sweep_has_the_same_points_and_a_form_of_24() -> None:
    points = {
        name: [tuple(task.axes.items()) for task in check_spec(SPECS / name).expansion.tasks]
        for name in ("training-loss-slope.yaml", "training-smoke.yaml")
    }
    assert points["training-loss-slope.yaml"] == points["training-smoke.yaml"]
    small = check_spec(
        SPECS / "training-smoke.yaml",
        only={"weight_decay": (1e-4,), "seed": (0, 1)},
        only_reason="small",
    )
    runnable = [task for task in small.expansion.tasks if task.not_run is None]
    assert len(runnable) == 24
