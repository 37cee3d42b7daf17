"""What is generated, and what is built."""

import subprocess
import sys
from pathlib import Path

MATH = Path(__file__).parent.parent / "src" / "math"


def test_constants_are_what_their_script_prints():
    script = [sys.executable, MATH / "polynomials.py"]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert printed == (MATH / "constants.h").read_text()
