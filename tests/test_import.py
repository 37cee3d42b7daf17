"""What importing cecore does to a process: nothing; and which kernels it chooses."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import cecore as ce


def run(code, **environment):
    env = {k: v for k, v in os.environ.items() if k != "CECORE_ISA"}
    return subprocess.run(
        [sys.executable, "-c", code], env={**env, **environment}, capture_output=True, text=True
    )


def printed(code, **environment):
    result = run(code, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_sets_no_environment_variable():
    assert (
        printed("""
import os, numpy
before = dict(os.environ)
import cecore
print(dict(os.environ) == before)
""")
        == "True"
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_import_starts_no_thread():
    assert (
        printed("""
import os, threading, numpy
count = lambda: (threading.active_count(), len(os.listdir("/proc/self/task")))
before = count()
import cecore
print(count() == before)
""")
        == "True"
    )


FE_UPWARD = {"x86_64": 0x800, "aarch64": 0x400000}


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in FE_UPWARD, reason="constants of glibc"
)
def test_import_keeps_the_floating_point_mode():
    """Rounding upwards and subnormals survive: FTZ, DAZ and the rounding mode are untouched."""
    assert (
        printed(
            """
import ctypes, os, numpy
FE_UPWARD = int(os.environ["FE_UPWARD"])
libm = ctypes.CDLL("libm.so.6")
assert libm.fesetround(FE_UPWARD) == 0
import cecore
tiny = numpy.array([2.0**-1074]) * numpy.array([1.0])
print(libm.fegetround() == FE_UPWARD, numpy.geterr() == {
    "divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}, tiny[0] > 0)
""",
            FE_UPWARD=str(FE_UPWARD[platform.machine()]),
        )
        == "True True True"
    )


def test_calls_keep_subnormals_alive_in_the_caller():
    assert (
        printed("""
import numpy, cecore
cecore.softmax(numpy.zeros((1000, 100)))
print((numpy.array([2.0**-1074]) * numpy.array([1.0]))[0] > 0)
""")
        == "True"
    )


def test_import_loads_nothing_heavier_than_numpy():
    modules = printed("""
import sys, numpy
before = set(sys.modules)
import cecore
added = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(added - set(sys.stdlib_module_names)))
""")
    foreign = {name for name in modules.split() if not name.startswith("_cython_")}
    assert foreign <= {"cecore", "numpy", "cython_runtime"}


def test_import_loads_no_adapter_library():
    heavy = {"scipy", "sklearn", "pandas", "torch", "xgboost", "lightgbm", "catboost", "dask"}
    loaded = printed("import sys, cecore; print(*sys.modules)")
    assert not heavy & set(loaded.split())


def test_everything_public_is_there():
    assert sorted(ce.__all__) == ce.__all__
    for name in ce.__all__:
        assert getattr(ce, name) is not None
    assert ce.__version__ == "0.1.0"


@pytest.mark.parametrize("isa", ce.available_isas())
def test_the_forced_isa_is_the_one_in_use(isa):
    assert printed("import cecore; print(cecore.isa())", CECORE_ISA=isa) == isa


def test_by_default_the_best_isa_is_in_use():
    assert printed("import cecore; print(cecore.isa())") == ce.available_isas()[0]


def _refused(isa):
    result = run("import cecore", CECORE_ISA=isa)
    assert result.returncode == 1
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith(f"ImportError: CECORE_ISA='{isa}' ")
    assert message.endswith(f"this CPU can run: {', '.join(ce.available_isas())}.")
    return message


@pytest.mark.parametrize("isa", ["sse9", "AVX2", "scalar,avx2", " "])
def test_an_unknown_isa_is_an_import_error(isa):
    assert "is not an instruction set of cecore" in _refused(isa)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86-64")
@pytest.mark.parametrize("isa", ["avx512", "avx2"])
def test_an_isa_that_this_cpu_lacks_is_an_import_error(isa):
    if isa in ce.available_isas():
        pytest.skip(f"this CPU has {isa}")
    assert "needs instructions this CPU lacks" in _refused(isa)
