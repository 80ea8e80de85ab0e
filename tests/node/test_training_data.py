"""Image files in their real formats: what is read from them, what is refused, how it is drawn."""

from __future__ import annotations

import gzip
import importlib.resources
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from training_parts import (
    cifar_binary,
    cifar_of_python_2,
    cifar_python,
    cifar_rows,
    digits,
    idx,
    settings,
)

from specc_runtime.attempts.attempt import TaskError
from specc_runtime.ml.image_data import (
    Images,
    changed,
    channel_moments,
    crop_boxes,
    draw_changes,
    load,
    resized,
    seeded,
)
from specc_runtime.ml.image_files import BadFile, read

CPU = torch.device("cpu")


def refused(path: Path, form: str) -> str:
    with pytest.raises(BadFile) as caught:
        read(path, form)
    return str(caught.value)


def loaded(path: Path, **block: Any) -> Images:
    chosen = settings(data={"file": str(path), **block})["data"]
    return load(path, chosen, CPU)


def not_loaded(path: Path, **block: Any) -> str:
    with pytest.raises(TaskError) as caught:
        loaded(path, **block)
    assert caught.value.category == "dataset_load"
    assert caught.value.suggestion
    return caught.value.message


@pytest.mark.parametrize(
    ("form", "make"),
    [
        ("cifar10-binary", cifar_binary),
        ("cifar10-python", cifar_python),
        ("cifar10-python", cifar_of_python_2),
    ],
)
def test_cifar_archives_give_the_images_that_were_put_in(form, make, tmp_path):
    files = read(make(tmp_path / "archive.tar.gz"), form)
    images, labels = files.train
    assert images.shape == (100, 3, 32, 32)
    first, classes = cifar_rows(0)
    assert torch.equal(images[:20].flatten(1), first)
    assert labels[:20].tolist() == classes
    last, classes = cifar_rows(5)
    assert torch.equal(files.test[0].flatten(1), last)
    assert files.test[1].tolist() == classes


def test_an_unpacked_archive_is_read_too(tmp_path):
    with tarfile.open(cifar_binary(tmp_path / "archive.tar.gz")) as archive:
        archive.extractall(tmp_path / "folder", filter="data")
    assert len(read(tmp_path / "folder", "cifar10-binary").train[1]) == 100


class Trap:
    """What it would do if it were unpickled: make a folder."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


def test_a_pickle_that_asks_for_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = cifar_python(tmp_path / "archive.tar.gz", extra=Trap())
    assert refused(path, "cifar10-python") == "its pickle asks for posix.mkdir, which is no data"
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_give_images_and_classes(packed, tmp_path):
    files = read(idx(tmp_path / "fashion", packed=packed), "idx")
    assert files.train[0].shape == (30, 1, 12, 12)
    expected = torch.randint(
        0, 256, (30, 12, 12), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    assert torch.equal(files.test[0].squeeze(1), expected)
    assert files.test[1].tolist() == [row % 10 for row in range(30)]


def test_digits_are_read_without_rounding(tmp_path):
    path = digits(tmp_path / "digits.csv.gz", 20)
    images, labels = read(path, "digits-csv").train
    rows = [line.split(",") for line in gzip.decompress(path.read_bytes()).decode().split()]
    assert (images[3].flatten() / 15).tolist() == [float(cell) for cell in rows[3][:64]]
    assert labels.tolist() == [int(row[64]) for row in rows]


def test_the_digits_of_scikit_learn_are_read(tmp_path):
    path = importlib.resources.files("sklearn") / "datasets" / "data" / "digits.csv.gz"
    images, labels = read(path, "digits-csv").train
    assert images.shape == (1797, 1, 8, 8)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_what_is_no_archive_is_called_so(tmp_path):
    path = tmp_path / "page.tar.gz"
    path.write_text("<html>404 Not Found</html>" * 100)
    told = "it can't be read as cifar10-python: it is no tar archive, or its beginning is damaged"
    assert refused(path, "cifar10-python") == told


ARCHIVES = pytest.mark.parametrize(
    ("form", "make"), [("cifar10-binary", cifar_binary), ("cifar10-python", cifar_python)]
)


@ARCHIVES
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_refused(form, make, share, tmp_path):
    path = make(tmp_path / "archive.tar.gz")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert refused(path, form).startswith(f"it can't be read as {form}: ")


@ARCHIVES
def test_an_archive_with_one_wrong_byte_is_refused(form, make, tmp_path):
    path = make(tmp_path / "archive.tar.gz")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert refused(path, form).startswith(f"it can't be read as {form}: ")


@pytest.mark.parametrize("length", [1, 40, 5000, -1])
def test_a_pickle_that_is_cut_off_is_refused(length, tmp_path):
    with tarfile.open(cifar_python(tmp_path / "archive.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:length])
    assert refused(tmp_path, "cifar10-python").startswith("it can't be read as cifar10-python: ")


def test_a_damaged_pickle_makes_no_memo_of_the_size_it_claims(tmp_path):
    # "remember this as number 4,294,967,295"
    batch = b"\x80\x02}r\xff\xff\xff\xff."
    (tmp_path / "data_batch_1").write_bytes(batch)
    for name in ("data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        (tmp_path / name).write_bytes(batch)
    assert refused(tmp_path, "cifar10-python") == "it can't be read as cifar10-python: 'labels'"


def test_an_archive_of_another_format_is_refused_by_name(tmp_path):
    path = cifar_python(tmp_path / "archive.tar.gz")
    assert refused(path, "cifar10-binary") == (
        "it has no data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, "
        "data_batch_5.bin, test_batch.bin: it is not whole, or of another format"
    )


def test_a_batch_that_is_cut_off_is_refused(tmp_path):
    with tarfile.open(cifar_binary(tmp_path / "archive.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert refused(tmp_path, "cifar10-binary") == (
        "61459 bytes are no whole number of rows of 3073 bytes"
    )


def test_idx_files_that_lie_about_their_size_are_refused(tmp_path):
    folder = idx(tmp_path / "fashion", packed=False)
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-3])
    assert refused(folder, "idx") == ("train-images-idx3-ubyte has 4317 bytes of data, not 4320")
    path.write_bytes(b"\x1f\x8bnot this")
    assert "doesn't begin like an IDX file" in refused(folder, "idx")


def test_idx_files_that_are_cut_off_or_do_not_belong_together_are_refused(tmp_path):
    folder = idx(tmp_path / "fashion")
    path = folder / "t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(folder, "idx").startswith("it can't be read as idx: ")
    path.write_bytes((idx(tmp_path / "other", rows=29) / path.name).read_bytes())
    assert refused(folder, "idx") == "t10k: 29 images, but 30 labels"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "No such file" in refused(tmp_path / "nowhere", "digits-csv")
    assert "neither train-images" in refused(tmp_path, "idx")


def test_another_number_of_classes_is_refused(tmp_path):
    path = digits(tmp_path / "digits.csv.gz")
    assert not_loaded(path, classes=7) == (
        f"the data set cannot be used: {path} has 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), "
        "but data.classes is 7"
    )


def test_data_without_a_part_to_validate_on_needs_a_share(tmp_path):
    message = not_loaded(digits(tmp_path / "digits.csv.gz"), validation_fraction=None)
    assert message.endswith("has no part to validate on")


def test_more_samples_than_there_are_is_refused(tmp_path):
    message = not_loaded(digits(tmp_path / "digits.csv.gz"), train_samples=121)
    assert message.endswith("data.train_samples is 121, but there are only 120 images")


def test_the_split_is_the_same_for_every_seed_and_without_overlap(tmp_path):
    path = digits(tmp_path / "digits.csv.gz")
    one, two = loaded(path), loaded(path)
    assert torch.equal(one.validation[0], two.validation[0])
    assert (len(one.train[1]), len(one.validation[1])) == (120, 40)
    every = torch.cat([one.train[0], one.validation[0]]).flatten(1).unique(dim=0)
    assert len(every) == len(read(path, "digits-csv").train[0].flatten(1).unique(dim=0))


def test_training_images_are_normalised(tmp_path):
    images = loaded(digits(tmp_path / "digits.csv.gz"))
    every = images.normalised(images.train[0])
    assert every.mean().item() == pytest.approx(0, abs=1e-5)
    assert every.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_moments_of_a_channel_are_those_of_its_numbers():
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(0, 256, (7, 3, 5, 5), generator=generator, dtype=torch.uint8)
    mean, deviation = channel_moments(images)
    numbers = images.double() / 255
    torch.testing.assert_close(mean, numbers.mean((0, 2, 3)).float())
    torch.testing.assert_close(deviation, numbers.std((0, 2, 3), correction=0).float())


PLAIN = {"random_resized_crop": False, "horizontal_flip": False}


def test_an_epoch_shows_each_image_once_in_an_order_of_its_own(tmp_path):
    images = loaded(digits(tmp_path / "digits.csv.gz"))

    def drawn(number: int, seed: int) -> torch.Tensor:
        batches = images.epoch(number, batch_size=40, seed=seed, augment=PLAIN)
        return torch.cat([batch for batch, _ in batches])

    assert torch.equal(drawn(0, 1), drawn(0, 1))
    assert not torch.equal(drawn(0, 1), drawn(1, 1))
    assert not torch.equal(drawn(0, 1), drawn(0, 2))
    in_order = images.normalised(images.train[0]).flatten(1)
    assert torch.equal(drawn(0, 1).flatten(1).sort(dim=0)[0], in_order.sort(dim=0)[0])


def test_a_quarter_looks_at_the_same_part_of_the_validation_images_each_time(tmp_path):
    images = loaded(digits(tmp_path / "digits.csv.gz"))

    def of(most: int | None) -> torch.Tensor:
        batches = images.validation_batches(16, most=most, seed=3)
        return torch.cat([batch for batch, _ in batches]).flatten(1)

    every = images.normalised(images.validation[0]).flatten(1)
    assert torch.equal(of(None), every)
    assert torch.equal(of(2000), every)
    part = of(18)
    assert torch.equal(of(18), part)
    # 18 different ones of the 40, and not simply the first: a file may be sorted by class
    assert len(torch.cat([part, every]).unique(dim=0)) == len(every.unique(dim=0)) == 40
    assert len(part.unique(dim=0)) == 18
    assert not torch.equal(part, every[:18])


def test_augmentation_does_not_depend_on_the_size_of_the_batches(tmp_path):
    images = loaded(digits(tmp_path / "digits.csv.gz"))
    block = settings()["augmentation"]

    def drawn(batch_size: int) -> torch.Tensor:
        batches = images.epoch(4, batch_size=batch_size, seed=1, augment=block)
        return torch.cat([batch for batch, _ in batches])

    assert torch.equal(drawn(40), drawn(60))
    assert not torch.equal(
        drawn(40), torch.cat([x for x, _ in images.epoch(5, batch_size=40, seed=1, augment=block)])
    )


def test_what_fills_no_whole_batch_is_left_out(tmp_path):
    images = loaded(digits(tmp_path / "digits.csv.gz"))
    sizes = [len(y) for _, y in images.epoch(0, batch_size=50, seed=0, augment=PLAIN)]
    assert sizes == [50, 50]


def test_a_crop_is_what_torch_makes_of_the_cut_out_part():
    images = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(2))
    boxes = torch.tensor([[1.0, 2.0, 7.0, 5.0], [0.0, 0.0, 12.0, 12.0]])
    found = resized(images, boxes)
    cut = images[:1, :, 1:8, 2:7]
    expected = functional.interpolate(cut, size=(12, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found[:1], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], images[1], atol=1e-5, rtol=0)


def test_crops_keep_within_the_image_and_near_the_areas_and_shapes_asked_for():
    boxes = crop_boxes(4000, (32, 32), (0.25, 0.5), (0.75, 4 / 3), seeded("crops"))
    top, left, height, width = boxes.T
    assert bool(((top >= 0) & (left >= 0)).all())
    assert bool(((top + height <= 32) & (left + width <= 32)).all())
    share = height * width / 1024
    assert 0.23 < share.min() < 0.27
    assert 0.48 < share.max() < 0.53
    assert share.mean().item() == pytest.approx(0.375, abs=0.01)
    assert (width / height).log().mean().item() == pytest.approx(0, abs=0.02)


def test_where_no_crop_fits_the_middle_is_taken():
    boxes = crop_boxes(3, (8, 8), (1.0, 1.0), (3.0, 3.0), seeded("none"))
    assert boxes.tolist() == [[2.0, 0.0, 3.0, 8.0]] * 3


def test_half_of_the_images_are_mirrored():
    images = torch.arange(4.0).expand(1000, 1, 4, 4)
    only_flip = {**PLAIN, "horizontal_flip": True}
    found = changed(images, draw_changes(1000, (4, 4), only_flip, seeded("flip")))
    mirrored = (found == images.flip(3)).flatten(1).all(dim=1)
    assert bool((mirrored | (found == images).flatten(1).all(dim=1)).all())
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.05)
