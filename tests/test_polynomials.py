"""The constants in the tree are those that their script finds."""

import subprocess
import sys
from pathlib import Path

MATH = Path(__file__).parent.parent / "src" / "math"


def test_the_script_writes_the_constants_of_the_tree() -> None:
    script = [sys.executable, str(MATH / "polynomials.py")]
    written = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert written == (MATH / "constants.h").read_text()
