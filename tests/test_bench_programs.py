"""The programs beside `cecore bench`: the price of exactness, boosting, generated blocks."""

import shutil

import numpy as np
import pytest

import cecore as ce
from cecore._bench import price, readme, shapes
from cecore._bench.shapes import Shape


@pytest.mark.skipif(ce.isa() != "avx512", reason="the control needs AVX-512")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the control is compiled by gcc")
@pytest.mark.parametrize("operation", ["logsumexp", "softmax"])
def test_the_careless_control_does_the_same_work(operation):
    logits = shapes.logits_and_labels(Shape("small", 5, 128), "float32")[0]
    logits[:, 1::5] = -np.inf
    calls = price.contenders(price.careless(), operation, logits, threads=1)
    assert all(t > 0 for t in price.seconds(calls, rounds=2).values())


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
    from cecore._bench import boosting

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
