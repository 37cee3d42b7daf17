"""Fork, many Python threads, and the limits set from outside: each in a process of its own.

A hang is a failure, by a timeout. `make soak` repeats the scenarios 100 times.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cecore import _core, _cpus
from tests.processes import SCENARIOS

ROOT = Path(__file__).parent.parent
CPUS = sorted(os.sched_getaffinity(0))
REPEATS = {"os.fork": 20, "os.fork-while-busy": 5, "fork": 20, "forkserver": 5, "spawn": 3,
           "crowd": 3}  # fmt: skip

needs_openmp = pytest.mark.skipif(_core.threading() == "none", reason="a build without OpenMP")
needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="this process has one CPU")


def python(*arguments, **environment):
    """What a fresh interpreter prints, without OMP_NUM_THREADS unless it is given."""
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    result = subprocess.run([sys.executable, *arguments], env={**env, **environment}, cwd=ROOT,
                            capture_output=True, text=True, timeout=120)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.strip()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_same_bits_and_an_end(scenario):
    python("-m", "tests.processes", scenario, str(REPEATS[scenario]))


@pytest.mark.parametrize("when", ["before the import", "after the import", "after a call"])
@needs_openmp
@needs_two_cpus
def test_the_affinity_is_respected(when):
    pin = f"os.sched_setaffinity(0, [{CPUS[0]}])"
    steps = {"before the import": "import cecore as ce", "after the import": "",
             "after a call": "ce.get_num_threads(); ce.softmax([1.0, 2.0])"}  # fmt: skip
    code = ["import os"]
    for step, statement in steps.items():
        code += [pin, statement] if step == when else [statement]
    code += ["print(ce.get_num_threads())"]
    assert python("-c", "\n".join(code)) == "1"


@needs_openmp
def test_without_a_limit_every_cpu_counts():
    """So that the limits in this file are seen to be what lowers the number."""
    code = "import cecore; print(cecore.get_num_threads())"
    assert int(python("-c", code)) == min(len(CPUS), _cpus.whole_quota())


CONTROLLERS = {
    "v1": ("/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "90000"}),
    "v2": ("/sys/fs/cgroup", {"cpu.max": "90000 100000"}),
}


@pytest.fixture
def small_group(request):
    """A control group of this machine that allows 0.9 CPUs, gone after the test."""
    root, limits = CONTROLLERS[request.param]
    group = Path(root, f"cecore-test-{os.getpid()}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of one's own: {error}")
    try:
        if not all((group / name).exists() for name in limits):
            pytest.skip(f"{root} does not control CPUs")
        for name, value in limits.items():
            (group / name).write_text(value)
        yield group
    finally:
        group.rmdir()


@pytest.mark.parametrize("small_group", CONTROLLERS, indirect=True)
@needs_openmp
@needs_two_cpus
def test_a_real_quota_is_respected(small_group):
    code = f"""
import os
with open({str(small_group / "cgroup.procs")!r}, "w") as members:
    members.write(str(os.getpid()))
import cecore as ce
print(ce.get_num_threads())
"""
    assert python("-c", code) == "1"


@needs_openmp
@needs_two_cpus
def test_nobody_waits_for_a_worker_that_does_not_come():
    """The worker may run where another process does, and only when that rests: it never rests.

    A call that waited for it would take many times as long as one thread does.
    """
    code = f"""
import os, subprocess, sys, time
from statistics import median
import numpy as np
import cecore as ce
from tests.processes import native_threads

here, there = {CPUS[:2]}
hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
try:
    os.sched_setaffinity(hog.pid, [there])
    os.sched_setaffinity(0, [here])
    x, before = np.zeros((2000, 1000), np.float32), native_threads()
    out = np.empty(2000, np.float32)

    def seconds(threads):
        with ce.num_threads(threads):
            begin = time.perf_counter()
            ce.logsumexp(x, out=out)
            return time.perf_counter() - begin

    seconds(2)
    assert native_threads() == before + 1
    worker = max(map(int, os.listdir("/proc/self/task")))
    os.sched_setaffinity(worker, [there])
    os.sched_setscheduler(worker, os.SCHED_IDLE, os.sched_param(0))
    alone, shared = (median(seconds(n) for _ in range(21)) for n in (1, 2))
    print(shared < 5 * alone or (alone, shared))
finally:
    hog.kill()
    hog.wait()
"""
    assert python("-c", code) == "True"


@needs_openmp
def test_threadpoolctl_sees_and_limits():
    """By the number and by the threads that the kernel counts: all three appear after the block."""
    code = """
from threadpoolctl import threadpool_info, threadpool_limits
import cecore as ce
from tests.processes import inputs, native_threads

x, _ = inputs()
before = native_threads()
openmp = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
print(*(pool["num_threads"] for pool in openmp))
with threadpool_limits(1):
    print(ce.get_num_threads())
    for _ in range(5):
        ce.sigmoid(x)
    print(native_threads() - before)
print(ce.get_num_threads())
for _ in range(5):
    ce.sigmoid(x)
print(native_threads() - before)
"""
    assert python("-c", code, OMP_NUM_THREADS="4").split() == ["4", "1", "0", "4", "3"]
