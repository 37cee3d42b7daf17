"""Checks the maps: every path that they name exists, and every file of src/ has a place on one."""

import re
import sys
from pathlib import Path

PATH = re.compile(r"`([\w.*/-]*(?:/|\.(?:[chs]|py|pyi|pyx|md|toml|in)))`")


def named_in(document):
    """What each path or pattern between backquotes stands for, seen from the document's folder."""
    return {name: set(document.parent.glob(name)) for name in PATH.findall(document.read_text())}


def main():
    named = {path: named_in(Path(path)) for path in ("CONTRIBUTING.md", "src/README.md")}
    problems = [
        f"{document} names {name}, which does not exist"
        for document, paths in named.items()
        for name, files in paths.items()
        if not files
    ]
    placed = set().union(*named["src/README.md"].values())
    problems += [
        f"src/README.md has no place for {path}"
        for path in sorted(Path("src").rglob("*.*"))
        if path != Path("src/README.md") and not {path, path.parent} & placed
    ]
    return "\n".join(problems)


if __name__ == "__main__":
    sys.exit(main())
