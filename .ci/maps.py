"""Checks the maps: every path that they name exists, every source file has its place on one."""

import re
import sys
from pathlib import Path

PATH = re.compile(r"`([\w.*/-]*(?:/|\.(?:[ch]|py|pyi|pyx|pxi|md|toml|in)))`")


def problems(document, mapped):
    """What is wrong with a map, whose paths and patterns start from the document's own folder."""
    named = {name: set(document.parent.glob(name)) for name in PATH.findall(document.read_text())}
    placed = set().union(*named.values())
    for name, files in named.items():
        if not files:
            yield f"{document} names {name}, which does not exist"
    for path in mapped:
        if path not in placed:
            yield f"{document} has no place for {path}"


if __name__ == "__main__":
    found = [
        *problems(Path("src/README.md"), Path("src").rglob("*.[ch]")),
        *problems(Path("CONTRIBUTING.md"), Path("cecore").glob("*.p[xy]*")),
    ]
    sys.exit("\n".join(found) or None)
