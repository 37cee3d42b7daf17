"""The ULP tool: python -m tests.accuracy measures every output on every ISA, beside its peers."""
