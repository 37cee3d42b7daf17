"""How many CPUs this process may keep busy: its affinity and its control group's quota.

The kernel throttles a group that uses up its quota for the rest of the period, so threads beyond
the quota make every call slower. Files: Linux Admin Guide, cgroup-v2 (`cpu.max`) and the CFS
bandwidth control of cgroup v1 (`cpu.cfs_quota_us`, `cpu.cfs_period_us`).
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


@functools.cache
def usable_cpus() -> int:
    """Return the smaller of the CPU affinity and the quota, rounded up; found once."""
    if hasattr(os, "sched_getaffinity"):
        affinity = len(os.sched_getaffinity(0))
    else:
        affinity = os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, quota())))


def quota(root: Path = Path("/")) -> float:
    """Return the CPUs that the control groups of this process allow, infinity without a limit."""
    limits = [math.inf]
    for directory in _group_directories(root):
        limits.append(_limit(directory))
    return min(limits)


def _group_directories(root: Path) -> Iterator[Path]:
    """Yield the directory of every control group that this process is in, ancestors included.

    A container may see its own group as the root of the mount while /proc still shows the path
    on the host: the ancestors cover this case too.
    """
    mount = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [mount, mount / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [mount / "cpu", mount / controllers]
        else:
            continue
        group = PurePosixPath(path.strip("/"))
        for each in mounts:
            for relative in (group, *group.parents):
                yield each / relative


def _limit(directory: Path) -> float:
    """Return the quota divided by the period of one control group."""
    v2 = _lines(directory / "cpu.max")
    if v2:
        values = v2[0].split()
    else:
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        values = [line for name in names for line in _lines(directory / name)]
    if len(values) != 2 or not (values[0].isdigit() and values[1].isdigit()):
        return math.inf  # no file, "max" (v2) or -1 (v1): no limit
    quota_us, period_us = int(values[0]), int(values[1])
    return quota_us / period_us if quota_us and period_us else math.inf


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
