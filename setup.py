"""Build of the extension: one flag set for all C files, OpenMP where a probe links."""

import os
import shutil
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, CompileError, LinkError, OptionError

OPENMP = os.environ.get("CECORE_OPENMP", "1")  # 0: serial; 1: where a probe links; require
PORTABLE = os.environ.get("CECORE_PORTABLE", "0")  # 1: with the test-only backend

# Free-threaded CPython has no limited API.
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")

PROBE = """
#include <omp.h>
int probe(void) { return omp_get_max_threads(); }
"""


def c_sources():
    paths = [*Path("src").glob("*.c"), *Path("src/isa").glob("*.c")]
    return sorted(str(p) for p in paths if PORTABLE == "1" or not p.name.startswith("portable_"))


class BuildExt(build_ext):
    """Compiles the C files by itself: in parallel, and those of threads with OpenMP."""

    def finalize_options(self):
        super().finalize_options()
        self.force = True  # the switches above decide too, and timestamps do not show them
        self.cython_c_in_temp = True

    def build_extension(self, ext):
        msvc = self.compiler.compiler_type == "msvc"
        if msvc:
            self.use_clang_cl()
        flags = (
            ["/O2", "/std:c11", "/clang:-ffp-contract=off", "/clang:-fno-math-errno"]
            if msvc
            else ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"]
        )
        if not msvc and "-O" not in os.environ.get("CFLAGS", ""):
            flags.append("-O3")
        openmp = self.probe_openmp(["/openmp"] if msvc else ["-fopenmp"])

        def compile_c(source):
            has_threads = Path(source).name in ("parallel.c", "pool.c")
            return self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                macros=[
                    *([("CECORE_PORTABLE", "1")] if PORTABLE == "1" else []),
                    *([("CECORE_OPENMP", "1")] if has_threads and openmp else []),
                ],
                include_dirs=ext.include_dirs,
                extra_postargs=[*flags, *(openmp if has_threads else [])],
            )

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = pool.map(compile_c, c_sources())
            ext.extra_objects = [path for paths in objects for path in paths]
        ext.extra_compile_args = flags
        ext.extra_link_args = [] if msvc else openmp
        ext.libraries = [] if msvc else ["m"]
        super().build_extension(ext)

    def use_clang_cl(self):
        """cl.exe cannot compile a part of a file for AVX2; clang-cl takes the same options."""
        clang_cl = shutil.which("clang-cl")
        if clang_cl is None:
            raise CCompilerError("On Windows cecore is compiled by clang-cl: install LLVM.")
        self.compiler.initialize()
        self.compiler.cc = clang_cl

    def probe_openmp(self, flags):
        """The flags if a library compiles and links with them, else none."""
        if OPENMP == "0":
            return []
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(PROBE)
            try:
                objects = self.compiler.compile([str(source)], folder, extra_postargs=flags)
                self.compiler.link_shared_object(objects, "probe", folder, extra_postargs=flags)
            except (CompileError, LinkError) as error:
                if OPENMP == "require":
                    raise CCompilerError(f"CECORE_OPENMP=require, but {error}") from error
                self.warn("no OpenMP with this compiler: building for one thread")
                return []
        return flags


if OPENMP not in ("0", "1", "require"):
    raise OptionError(f"CECORE_OPENMP must be 0, 1 or require, not {OPENMP!r}.")
if PORTABLE not in ("0", "1"):
    raise OptionError(f"CECORE_PORTABLE must be 0 or 1, not {PORTABLE!r}.")

setup(
    ext_modules=[
        Extension(
            "cecore._core",
            ["cecore/_core.pyx"],
            include_dirs=["include", numpy.get_include()],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED_API else [],
            py_limited_api=LIMITED_API,
        )
    ],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED_API else {},
)
