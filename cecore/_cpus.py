"""How many CPUs the control group of this process lets it keep busy.

The kernel throttles a group that uses up its quota for the rest of the period, so threads beyond
the quota make every call slower. Files: Linux Admin Guide, cgroup-v2 (`cpu.max`) and the CFS
bandwidth control of cgroup v1 (`cpu.cfs_quota_us`, `cpu.cfs_period_us`).
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator


@functools.cache
def whole_quota() -> float:
    """Return the quota rounded up to whole CPUs; found once."""
    limit = quota()
    return limit if math.isinf(limit) else math.ceil(limit)


def quota(root: str = "/") -> float:
    """Return the CPUs that the control groups of this process allow, infinity without a limit."""
    return min(map(_limit, _group_directories(root)), default=math.inf)


def _group_directories(root: str) -> Iterator[str]:
    """Yield the directory of every control group that this process is in, ancestors included.

    A container may see its own group as the root of the mount while /proc still shows the path
    on the host: the ancestors cover this case too.
    """
    mount = os.path.join(root, "sys/fs/cgroup")
    for line in _lines(os.path.join(root, "proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = (mount, os.path.join(mount, "unified"))
        elif "cpu" in controllers.split(","):
            mounts = (os.path.join(mount, "cpu"), os.path.join(mount, controllers))
        else:
            continue
        names = path.strip("/").split("/")
        for each in mounts:
            for depth in range(len(names) + 1):
                yield os.path.join(each, *names[:depth])


def _limit(directory: str) -> float:
    """Return the quota divided by the period of one control group."""
    values = _lines(os.path.join(directory, "cpu.max"))
    if values:
        values = values[0].split()
    else:
        for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"):
            values += _lines(os.path.join(directory, name))
    if len(values) != 2 or not (values[0].isdigit() and values[1].isdigit()):
        return math.inf  # no file, "max" (v2) or -1 (v1): no limit
    quota_us, period_us = int(values[0]), int(values[1])
    return quota_us / period_us if quota_us and period_us else math.inf


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []
