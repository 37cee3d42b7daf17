"""README.md and docs/: every snippet runs as it stands, and the bounds are those of bounds.py."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

from tests.bounds import BOUNDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMERICS = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


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
    for snippet in SNIPPETS:
        if ">>>" in snippet:
            _run_doctest(snippet, names)
        else:
            exec(compile(snippet, "README.md", "exec"), names)

    loss, gradient = names["objective"](names["w"])
    assert loss < names["objective"](np.zeros(d * k))[0]
    assert np.abs(gradient).max() < 1e-3


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_to_files(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert ((ROOT / page).parent / link).is_file(), link


def test_bounds_in_the_documentation_are_the_contract():
    table = NUMERICS.partition("## Error bounds")[2].partition("##")[0]
    rows = re.findall(r"^\| (.+?) \| ([0-9.]+) \| (.+) \|$", table, flags=re.MULTILINE)
    documented = {name: (float(ulp), of.replace("\\|", "|")) for name, ulp, of in rows}
    assert documented == {name: (bound.ulp, bound.of) for name, bound in BOUNDS.items()}
