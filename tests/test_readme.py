"""README.md and docs/: every snippet runs as it stands, and the bounds are those of bounds.py."""

import doctest
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from cecore._boosting import VERSIONS
from tests.bounds import BOUNDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMERICS = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
BOOSTING = ("xgboost", "lightgbm", "catboost")


def snippets(text):
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


SNIPPETS = snippets(README)


def _run_doctest(snippet, names):
    test = doctest.DocTestParser().get_doctest(snippet, names, "README.md", "README.md", 0)
    printed = []
    result = doctest.DocTestRunner().run(test, out=printed.append, clear_globs=False)
    names.update(test.globs)
    assert result.failed == 0, "".join(printed)


def test_readme_opens_with_two_four_line_snippets():
    assert [snippet.count("\n") for snippet in SNIPPETS[:2]] == [4, 4]


def test_snippets_run_one_after_another():
    rng = np.random.default_rng(0)
    n, d, k = 90, 4, 3
    y = rng.integers(k, size=n)
    x = rng.normal(size=(n, d)) + np.eye(k, d)[y]
    names = {"x": x, "y": y, "d": d, "k": k, "scipy": pytest.importorskip("scipy")}
    names |= boosting_names("xgboost", x, y) if importlib.util.find_spec("xgboost") else {}
    for snippet in SNIPPETS:
        if "xgboost" in snippet and "dtrain" not in names:
            continue
        if ">>>" in snippet:
            _run_doctest(snippet, names)
        else:
            exec(compile(snippet, "README.md", "exec"), names)

    loss, gradient = names["objective"](names["w"])
    assert loss < names["objective"](np.zeros(d * k))[0]
    assert np.abs(gradient).max() < 1e-3


def boosting_names(library, x, y):
    """What the snippets of a page take for granted."""
    module = pytest.importorskip(library)
    names = {"np": np, "x": x, "y": y, "labels": y, "shares": 0.7 * np.eye(3)[y] + 0.1}
    if library == "xgboost":
        names["params"] = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
        names["dtrain"] = module.DMatrix(x, y)
    names.setdefault("params", {"num_class": 3, "verbose": -1, "num_threads": 1})
    names["options"] = {"iterations": 3, "verbose": False, "allow_writing_files": False}
    return names


@pytest.mark.parametrize("library", BOOSTING)
def test_snippets_of_the_boosting_pages(library):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=90)
    x = rng.normal(size=(90, 4)) + np.eye(3, 4)[y]
    names = boosting_names(library, x, y)
    page = (ROOT / "docs" / f"{library}.md").read_text(encoding="utf-8")
    found = snippets(page)
    assert len(found) == 2
    for snippet in found:
        exec(compile(snippet, f"{library}.md", "exec"), names)
    assert names["model"] is not None
    if "p" in names:
        assert names["p"].sum(axis=1) == pytest.approx(1)


def test_pages_name_the_tested_versions():
    for library, (oldest, newest) in VERSIONS.items():
        page = (ROOT / "docs" / f"{library}.md").read_text(encoding="utf-8")
        span = oldest if oldest == newest else f"{oldest} to {newest}"
        assert re.search(rf"is tested with \w+ {re.escape(span)}\b", page)


def test_links_lead_to_files():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), link


def test_bounds_in_the_documentation_are_the_contract():
    table = NUMERICS.partition("## Error bounds")[2].partition("##")[0]
    rows = re.findall(r"^\| (.+?) \| ([0-9.]+) \| (.+) \|$", table, flags=re.MULTILINE)
    documented = {name: (float(ulp), of.replace("\\|", "|")) for name, ulp, of in rows}
    assert documented == {name: (bound.ulp, bound.of) for name, bound in BOUNDS.items()}
