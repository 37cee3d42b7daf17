"""What a figure depends on besides the code: CPU, caches, pages, threads' environment, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cecore as ce

LIBRARIES = (
    "cecore", "numpy", "scipy", "scikit-learn", "torch", "jax", "onnxruntime", "numba", "ml_dtypes",
)  # fmt: skip
ENVIRONMENT = ("OMP_", "GOMP_", "KMP_", "MKL_", "XLA_", "CECORE_", "THP_")
_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_CPUS = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL_CACHE = 32 << 20


def _cpu() -> str:
    lines = _CPUS.read_text().splitlines() if _CPUS.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _huge_pages() -> str:
    """The setting in force: the word in brackets in "always [madvise] never"."""
    return _PAGES.read_text().split("[")[1].split("]")[0] if _PAGES.exists() else "unknown"


def last_level_cache() -> int:
    """Bytes of the largest cache that a core reaches; 32 MiB where the system does not say."""
    sizes = [path.read_text().strip() for path in _CACHES.glob("index*/size")]
    kilobytes = [int(size[:-1]) for size in sizes if size.endswith("K")]
    return max(kilobytes) << 10 if kilobytes else _USUAL_CACHE


def load() -> str:
    """Processes that wanted a core in the last minute: figures are of idle cores only near 0."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def versions(libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    found = {}
    for library in libraries:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, str]:
    settings = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(ENVIRONMENT)]
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "last-level cache": f"{last_level_cache() / 2**20:g} MiB",
        "huge pages": _huge_pages(),
        "environment": " ".join(settings) or "no OpenMP setting",
        "Python": platform.python_version(),
        "versions": ", ".join(f"{name} {v}" for name, v in versions().items()),
        "cecore runs": ce.isa(),
    }
