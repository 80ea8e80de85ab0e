"""Sentences and batches: `read_dataset`, `encode`, `prepare_inputs`."""

import hashlib
import json

import pytest
from inference_parts import a_bert, sentences

from specc_runtime.attempts.attempt import TaskError
from specc_runtime.kinds.inference.dataset import read_dataset
from specc_runtime.kinds.inference.tokenise import Encoded, encode, prepare_inputs, synthetic

SCORED = {"text": 2, "label": 1, "thresholds": {"below": -1.0, "above": 1.0}}


def refused(path, **settings) -> str:
    with pytest.raises(TaskError) as caught:
        read_dataset(str(path), settings)
    assert caught.value.category == "dataset_load"
    return caught.value.message.removeprefix("the data set cannot be used: ")


def test_scores_between_the_thresholds_are_left_out(tmp_path):
    data = read_dataset(str(sentences(tmp_path / "s")), SCORED)
    assert data.labels == [1, 0] * 4
    assert data.texts[:2] == ["good film", "very bad film"]


def test_the_file_is_described_by_hashes_and_counts(tmp_path):
    path = sentences(tmp_path / "s")
    facts = read_dataset(str(path), {**SCORED, "licence": "MIT", "limit": 3}).facts
    raw = path.read_bytes()
    assert facts == {
        "records": 12,
        "labelled": 8,
        "used": 3,
        "bytes": len(raw),
        "md5": hashlib.md5(raw).hexdigest(),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "licence": "MIT",
        "source": None,
    }


def test_skip_and_limit_cut_the_seeded_order_into_disjoint_parts(tmp_path):
    path = str(sentences(tmp_path / "s", 60))
    whole = read_dataset(path, {**SCORED, "shuffle_seed": 1}).texts
    first = read_dataset(path, {**SCORED, "shuffle_seed": 1, "limit": 10}).texts
    rest = read_dataset(path, {**SCORED, "shuffle_seed": 1, "skip": 10}).texts
    assert first + rest == whole
    assert whole != read_dataset(path, SCORED).texts


def test_json_lines_and_headers_name_their_columns(tmp_path):
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"sentence": "a", "label": 1}\n\n{"sentence": "b", "label": 0}\n')
    table = tmp_path / "a.tsv"
    table.write_text("label\tsentence\n1\ta\n0\tb\n")
    expected = (["a", "b"], [1, 0])
    for path, settings in ((lines, {"format": "jsonl"}), (table, {"header": True})):
        data = read_dataset(str(path), settings)
        assert (data.texts, data.labels) == expected


def test_unlabelled_text_has_no_labels(tmp_path):
    (tmp_path / "t").write_text("one\ntwo\n")
    data = read_dataset(str(tmp_path / "t"), {"text": 0, "label": None})
    assert (data.texts, data.labels) == (["one", "two"], [None, None])


def test_what_the_spec_states_is_checked(tmp_path):
    path = sentences(tmp_path / "s")
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    assert refused(path, **SCORED, records=13) == (
        "its number of records is 12, but the spec says 13"
    )
    assert (
        refused(path, **SCORED, md5="0" * 32) == f"its md5 is {md5}, but the spec says {'0' * 32}"
    )
    assert refused(path, **SCORED, sha256="0" * 64).startswith("its sha256 is ")
    assert read_dataset(str(path), {**SCORED, "records": 12, "md5": md5}).texts


def test_what_cannot_be_read_says_where(tmp_path):
    path = sentences(tmp_path / "s")
    assert refused(tmp_path / "no") == f"{tmp_path}/no: No such file or directory"
    assert refused(path, text="sentence").startswith("column 'sentence' is a name, but")
    assert refused(path, text=2, label=2) == (
        "line 1 has no such text or label: "
        "ValueError(\"invalid literal for int() with base 10: 'good film'\")"
    )
    assert refused(path, text=9, label=1).startswith("line 1 has no such text")
    assert refused(path, **SCORED, skip=8) == "8 skipped and 1 wanted, but there are only 8 rows"
    (tmp_path / "latin").write_bytes(b"1\t\xff\n")
    assert refused(tmp_path / "latin", text=1, label=0) == (
        "byte 2 is not utf-8; set dataset.encoding"
    )
    (tmp_path / "h").write_text("a\tb\n")
    assert (
        refused(tmp_path / "h", header=True, text="c") == "there is no column 'c'; there are a, b"
    )


def test_sentences_become_word_pieces_between_special_tokens(tmp_path):
    a_bert(tmp_path)
    encoded = encode(["A very GOOD film", "odd"], str(tmp_path), max_length=64)
    assert encoded == Encoded([[2, 8, 10, 5, 7, 3], [2, 1, 3]], 0, 0)


def test_a_cut_sentence_is_counted(tmp_path):
    a_bert(tmp_path)
    encoded = encode(["very very very good film", "bad"], str(tmp_path), max_length=4)
    assert encoded.ids == [[2, 10, 10, 3], [2, 6, 3]]
    assert encoded.facts() == {
        "tokens_min": 3,
        "tokens_mean": 3.5,
        "tokens_max": 4,
        "truncated": 1,
    }


def test_case_matters_where_the_tokenizer_says_so(tmp_path):
    a_bert(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    assert encode(["GOOD good"], str(tmp_path), max_length=8).ids == [[2, 1, 5, 3]]


def test_a_folder_without_tokenizer_is_a_model_failure(tmp_path):
    with pytest.raises(TaskError) as caught:
        encode(["x"], str(tmp_path), max_length=8)
    assert caught.value.category == "model_load"


def test_batches_are_full_padded_and_count_real_tokens():
    encoded = Encoded([[1, 2, 3], [4], [5, 6]], 9, 0)
    first, second = prepare_inputs(encoded, 2, multiple_of=4)
    assert first.input_ids.tolist() == [[1, 2, 3, 9], [4, 9, 9, 9]]
    assert first.attention_mask.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert (first.tokens, first.padded_tokens, first.shape) == (4, 8, (2, 4))
    # filled up from the start
    assert second.input_ids.tolist() == [[5, 6, 9, 9], [1, 2, 3, 9]]


def test_a_batch_larger_than_the_data_repeats_it():
    (batch,) = prepare_inputs(Encoded([[1], [2]], 0, 0), 5)
    assert batch.input_ids.flatten().tolist() == [1, 2, 1, 2, 1]


def test_a_fixed_width_is_kept():
    (batch,) = prepare_inputs(Encoded([[1], [2]], 0, 0), 2, width=7)
    assert batch.shape == (2, 7)


def test_synthetic_tokens_are_seeded_full_and_never_padding():
    one, again = (synthetic(3, 5, seed=1, vocabulary=10) for _ in range(2))
    assert one == again
    assert [len(sample) for sample in one.ids] == [5, 5, 5]
    assert all(0 < token < 10 for sample in one.ids for token in sample)
