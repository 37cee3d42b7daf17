"""Beside other libraries that bring an OpenMP runtime: right results, no hang, no warning.

Each case is a process of its own. Not part of the suite, for which the libraries are too large:
`make coexist` installs them and runs this file.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.neighbours import LOADERS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("libraries", [*([name] for name in LOADERS), [*LOADERS]], ids=" ".join)
def test_beside(libraries, order):
    command = [sys.executable, "-m", "tests.neighbours", order, *libraries]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
