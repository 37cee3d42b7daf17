"""What the adapters share: options, versions, the upper bound, and what passes through."""

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import cecore as ce
from cecore import _boosting
from tests.messages import says

LIBRARIES = sorted(_boosting.VERSIONS)


def adapter(library):
    pytest.importorskip(library)
    return getattr(__import__(f"cecore.{library}"), library)


@pytest.mark.parametrize("library", LIBRARIES)
def test_options_are_checked(library):
    objective, metric = adapter(library).objective, adapter(library).metric
    loss = ce.SigmoidCrossEntropy()
    with says(ValueError, "hessian is 'newton', wanted 'builtin', 'exact', 'upper_bound'"):
        objective(loss, hessian="newton")
    for bad in (-1, np.inf, np.nan):
        with says(ValueError, f"min_hessian is {bad}", "at least 0"):
            objective(loss, min_hessian=bad)
    for wrong in (ce.SigmoidCrossEntropy, "binary:logistic", None):
        for made in (objective, metric):
            with says(TypeError, "wanted a loss such as cecore.SoftmaxCrossEntropy()"):
                made(wrong)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_metric_input_is_checked(library):
    with says(ValueError, "input is 'proba', wanted 'margin' or 'probability'"):
        adapter(library).metric(ce.SigmoidCrossEntropy(), "proba")


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("version", ["0.1.0", "99.0.1"])
def test_an_unknown_version_warns_once(library, version, recwarn):
    for _ in range(2):
        _boosting.check_version(library, version)
    (warning,) = recwarn.list
    assert f"and this is {version}" in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize("library", LIBRARIES)
def test_tested_versions_do_not_warn(library):
    oldest, newest = _boosting.VERSIONS[library]
    for version in (oldest, newest, f"{newest}.9"):
        _boosting.check_version(library, version)


def test_extras_ask_for_the_oldest_versions():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    for library, (oldest, _) in _boosting.VERSIONS.items():
        assert extras[library] == [f"{library}>={oldest}"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_adapter_loads_its_own_library_only(library):
    pytest.importorskip(library)
    others = [name for name in LIBRARIES if name != library]
    code = f"import sys, cecore.{library}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert library in loaded
    assert not set(others) & set(loaded)


def test_the_upper_bound_majorises_the_hessian():
    """D - H is positive semidefinite for D of the upper bound, and not for the diagonal of H."""
    rng = np.random.default_rng(0)
    loss = ce.SoftmaxCrossEntropy()
    exact_fails = False
    for classes in (2, 3, 10):
        for scale in (0.1, 1, 10):
            x = rng.normal(scale=scale, size=classes)
            y = rng.dirichlet(np.ones(classes)) * 3  # a sum other than 1 counts
            problem = loss._margins(x, y, np.asarray(2.0))
            _, hessian = problem.row_derivatives()
            _, bound = problem.row_derivatives("upper_bound")
            p = loss.probabilities(x)
            assert hessian == pytest.approx(2 * 3 * (np.diag(p) - np.outer(p, p)), abs=1e-13)
            assert np.array_equal(bound, np.diag(np.diag(bound)))
            assert np.linalg.eigvalsh(bound - hessian).min() > -1e-12
            exact_fails |= np.linalg.eigvalsh(np.diag(np.diag(hessian)) - hessian).min() < -1e-6
    assert exact_fails


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_nan_and_no_rows(library):
    """A floor hides no NaN, and a part of the data may be empty in a worker."""
    objective = adapter(library).objective(ce.SigmoidCrossEntropy(), min_hessian=0.1)
    gradient, hessian = objective(np.zeros(3), np.array([50, np.nan, 0], np.float32))
    assert gradient == pytest.approx(np.array([1, np.nan, 0.5]), nan_ok=True)
    assert hessian == pytest.approx(np.array([0.1, np.nan, 0.25]), nan_ok=True)
    for loss, shape in ((ce.SigmoidCrossEntropy(), (0,)), (ce.SoftmaxCrossEntropy(), (0, 3))):
        results = adapter(library).objective(loss)(np.zeros(0), np.zeros(shape, np.float32))
        assert [r.shape for r in results] == [shape, shape]


@dataclass(frozen=True)
class Doubled:
    """A loss with an option the adapters know nothing of: it counts everything `times` times."""

    times: float
    _by_class = True

    def _margins(self, logits, labels, sample_weight):
        weights = np.full(logits.shape[:-1], 1.0) if sample_weight is None else sample_weight
        return ce.SoftmaxCrossEntropy()._margins(logits, labels, weights * self.times)

    def probabilities(self, logits):
        return ce.softmax(logits)


@pytest.mark.parametrize("library", LIBRARIES)
def test_options_of_a_loss_pass_through(library):
    margins, labels = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2])
    plain, doubled = (
        adapter(library).objective(loss) for loss in (ce.SoftmaxCrossEntropy(), Doubled(2.0))
    )
    if library == "catboost":
        pairs = [(o.calc_ders_multi(margins[0], 0.0, 1.0)) for o in (plain, doubled)]
    else:
        pairs = [o(labels, margins) for o in (plain, doubled)]
    for once, twice in zip(*pairs):
        assert twice == pytest.approx(2 * once, rel=1e-6)
