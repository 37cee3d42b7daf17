"""The benchmark: cecore, its peers and the memory's own speed, interleaved in one run.

`cecore bench` runs it (run.py). The programs beside it, for a clone: price.py, boosting.py,
confident_row.py, wheel_report.py.
"""
