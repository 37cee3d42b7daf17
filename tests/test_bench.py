"""The benchmark's own parts, on small inputs: same work for all, verdicts, README blocks."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import cecore as ce

sys.path.append(str(Path(__file__).parent.parent / "bench"))

import peers
import price
import readme
import report
import shapes
import timing

SMALL = shapes.Shape("small", 50, 7)


@pytest.mark.parametrize("operation", peers.OPERATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_peers_do_the_same_work(operation, dtype):
    logits, labels = shapes.logits_and_labels(SMALL, dtype)
    calls = peers.contenders(peers.Case(operation, logits, labels, threads=1))
    assert len(calls) >= 3  # cecore with out=, cecore fresh, NumPy
    peers.check_answers(calls, dtype)


def test_other_work_is_noticed():
    logits, labels = shapes.logits_and_labels(SMALL, "float32")
    calls = dict(peers.contenders(peers.Case("softmax", logits, labels, threads=1)))
    calls["wrong"] = lambda: np.exp(logits)
    with pytest.raises(AssertionError, match="wrong and cecore disagree"):
        peers.check_answers(calls, "float32")


@pytest.mark.skipif(ce.isa() != "avx512", reason="the control needs AVX-512")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the control is compiled by gcc")
@pytest.mark.parametrize("operation", ["logsumexp", "softmax"])
def test_the_careless_control_does_the_same_work(operation):
    logits = shapes.logits_and_labels(shapes.Shape("small", 5, 128), "float32")[0]
    logits[:, 1::5] = -np.inf
    calls = price.contenders(price.careless(), operation, logits, threads=1)
    assert all(t > 0 for t in price.seconds(calls, rounds=2).values())


def test_interleaved_times_are_ordered():
    times = timing.interleave({"a": list, "b": dict}, rounds=3)
    assert set(times) == {"a", "b"}
    assert all(0 <= t.minimum <= t.median <= t.maximum for t in times.values())


def _figure(ours, peer):
    times = {peers.OURS: ours, peers.OURS_FRESH: ours, "torch": peer, "NumPy": 2 * peer}
    times = {name: timing.Times(ms, ms, ms) for name, ms in times.items()}
    return report.Figure("softmax", "small", "float32", 1, times)


@pytest.mark.parametrize(("peer", "verdict"), [(30.0, "10.0x PASS"), (29.0, "9.7x MISSED")])
def test_verdicts(peer, verdict):
    figure = _figure(3.0, peer)
    target = {"operation": "softmax", "shape": "small", "peer": "torch", "at_least": 10}
    assert [str(v) for v in report.judge([target], [figure])] == [verdict]
    assert figure.fastest_peer() == "torch"
    assert list(report.judge([{**target, "shape": "other"}], [figure])) == []


def test_a_lost_case_stays_in_the_table():
    assert "| 3.00 / 3.00, 0.5x torch |" in report.markdown([_figure(3.0, 1.5)], [], {})


def test_block_is_rewritten_between_its_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin a: old -->\nold\n<!-- end a -->\nafter\n")
    for _ in range(2):
        readme.rewrite_block("a", "make a", "new", page)
        assert page.read_text() == (
            "before\n<!-- begin a: written by `make a` -->\nnew\n<!-- end a -->\nafter\n"
        )
    with pytest.raises(SystemExit, match=r"page\.md needs one"):
        readme.rewrite_block("b", "make b", "new", page)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_contenders_of_the_boosting_bench_train_the_same(library, classes, monkeypatch):
    pytest.importorskip("xgboost")
    pytest.importorskip("lightgbm")
    import boosting

    case = boosting.Case("small", 300, classes)
    x, y = boosting.data(case)
    x = x.astype(np.float64) * 3
    loss = ce.SigmoidCrossEntropy() if classes == 2 else ce.SoftmaxCrossEntropy()
    factor = {"xgboost": 2.0, "lightgbm": classes / (classes - 1)}[library]
    order = {"xgboost": "C", "lightgbm": "F"}[library]
    margins = np.asarray(x[:, 0] if classes == 2 else x[:, :classes], order=order)
    theirs = boosting.numpy_objective(y, factor if classes > 2 else 0.0, order)(margins, None)
    ours = getattr(ce, library).objective(loss)(y, margins)
    for a, b in zip(theirs, ours):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-7)

    monkeypatch.setattr(boosting, "ROUNDS", 2)
    figure = boosting.measure(library, case, rounds=1)
    assert all(run.training > run.objective for runs in figure.runs.values() for run in runs)
    verdicts = dict(boosting.verdicts(figure))
    assert len(verdicts) == 3
    assert all(v.endswith(("PASS", "MISSED")) for v in verdicts.values())
    assert "small" in boosting.markdown([figure], {"CPU": "any"})
