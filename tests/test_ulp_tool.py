"""The ULP tool sees what it should: every input, the right ISA, and a result that is wrong."""

import json

import numpy as np
import pytest

import cecore as ce
from tests import cases, test_bulk
from tests.accuracy import inputs, page, peers, report
from tests.accuracy.climb import climb
from tests.accuracy.isas import Isas
from tests.accuracy.tally import KEPT, Batch, Tallies
from tests.outputs import BY_NAME

pytestmark = test_bulk.pytestmark
SOFTMAX, LOSS = BY_NAME["softmax"], BY_NAME["loss, sparse labels"]


def _batch():
    rng = np.random.default_rng(5)
    x = cases.rows(rng, 20, 7, "f4", (cases.normal, cases.one_large))
    return Batch(x, {cases.labels: cases.labels(rng, x)}, (SOFTMAX, LOSS))


def _results(batch, who="avx2"):
    y = batch.labels[cases.labels]
    return {output.name: {who: output.call(batch.x, y)} for output in batch.outputs}


def test_every_float32_is_visited_once():
    stride = 1 << 11
    seen = [batch.x for batch in inputs.every_float32(stride) if len(batch.outputs) == 6]
    patterns = np.concatenate(seen).view(np.uint32)
    assert np.array_equal(patterns, np.arange(0, 1 << 32, stride, dtype=np.uint32))


def test_samples_repeat_and_have_every_class_count():
    drawn = [{}, {}]
    for batches in drawn:
        for batch in inputs.row_samples("f4", 17, 3000):
            batches[len(batches)] = batch.x
    assert all(np.array_equal(a, drawn[1][i], equal_nan=True) for i, a in drawn[0].items())
    assert sum(len(x) for x in drawn[0].values()) >= 3000
    assert sum(inputs.ROWS_OF_CLASSES.values()) >= 1e8


def test_a_wrong_result_is_found_and_missed():
    batch = _batch()
    results, tallies = _results(batch), Tallies(1)
    tallies.add(batch, results)
    assert not any(report.missed(cell) for cell in report.cells(tallies))
    results[SOFTMAX.name]["avx2"][11, 3] *= 1 + 2.0**-20
    tallies.add(batch, results)
    wrong = [cell for cell in report.cells(tallies) if report.missed(cell)]
    assert [(cell["output"], cell["index"]) for cell in wrong] == [(SOFTMAX.name, (3,))]
    assert wrong[0]["x"] == [float(v).hex() for v in batch.x[11]]
    assert wrong[0]["count"] == 2 * batch.x.size


def test_bits_are_compared():
    batch, tallies = _batch(), Tallies(1)
    results = _results(batch)
    for whose in results.values():
        whose["avx512"] = whose["avx2"].copy()
    results[LOSS.name]["avx512"][3] *= -1
    for sign, isa in ((1, "avx512"), (-1, "avx2")):
        results[LOSS.name][isa][5] = np.copysign(np.nan, sign)
    tallies.compare_bits(results, ["avx512", "avx2"])
    assert tallies.differing == {"avx512, avx2": 1}
    assert tallies.compared == {"avx512, avx2": batch.x.size + len(batch.x)}


def test_isas_compute_what_they_are_asked_and_a_climb_never_falls():
    batch, tallies = _batch(), Tallies(1)
    with Isas(list(ce.available_isas()), size=1 << 24) as isas:
        results = isas.compute(batch.x, batch.labels, batch.outputs)
        for name, whose in _results(batch, ce.isa()).items():
            assert np.array_equal(results[name][ce.isa()], whose[ce.isa()])
        tallies.add(batch, results)
        before = {key: tally.worst[0].error for key, tally in tallies.by_key.items()}
        climb(isas, tallies, steps=3)
    for key, tally in tallies.by_key.items():
        assert tally.worst[0].error >= before[key]
        assert len(tally.worst) == KEPT


def test_an_unknown_isa_is_an_error():
    with pytest.raises(EOFError):
        Isas(["sse9"], size=1 << 20)


def test_peers_agree_but_for_digits():
    batch = _batch()
    y = batch.labels[cases.labels]
    for whose in peers.compute(batch).values():
        assert "NumPy" in whose
    for output in batch.outputs:
        for who, got in peers.compute(batch)[output.name].items():
            assert got.dtype == batch.x.dtype, who
            np.testing.assert_allclose(got, output.call(batch.x, y), rtol=1e-3, atol=1e-6)


def test_peers_share_is_the_same_for_short_and_long_rows():
    share = peers.Share()
    batch = _batch()
    batch.x[5] = -np.inf
    kept = [len(share.of(batch.rows(slice(i, i + 1))).x) for i in range(len(batch.x))]
    assert kept[5] == 0
    assert 1 <= sum(kept) == len(peers.Share().of(batch).x) <= len(kept) / peers.SHARE + 1


def test_page_says_what_is_missed(tmp_path, monkeypatch):
    batch, tallies = _batch(), Tallies(1)
    results = _results(batch)
    results[SOFTMAX.name]["avx2"][0] = np.nan
    tallies.add(batch, results)
    tallies.add(batch, peers.compute(batch))
    run = tmp_path / "run.json"
    run.write_text(json.dumps({
        "about": {"command": "a test"}, "isas": ["avx2"], "cells": report.cells(tallies),
        "bits": [["avx512, avx2", 10, 0]],
    }))  # fmt: skip
    monkeypatch.setattr(page, "PAGE", tmp_path / "accuracy.md")
    monkeypatch.setattr("sys.argv", ["page", str(run)])
    assert page.main() == 1
    text = page.PAGE.read_text()
    assert "1 of 2 bounds are MISSED: softmax, float32, AVX2." in text
    assert "| softmax | 2 | all digits / " in text
    assert "AVX-512 and AVX2: 0 of 10 values differ in a bit" in text
