"""The command line: `cecore bench`."""

from __future__ import annotations

import argparse


def main() -> None:
    """Run the command that the command line names."""
    parser = argparse.ArgumentParser(prog="cecore", description="Exact, fused cross-entropy.")
    commands = parser.add_subparsers(dest="command", required=True)
    from cecore._bench import run

    run.add_options(commands.add_parser("bench", help="speed beside the probe and the peers"))
    options = parser.parse_args()
    run.main(options)
