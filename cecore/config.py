"""Which kernels run on this machine, and how the package was built."""

from __future__ import annotations

import platform

import numpy as np

from cecore import __version__, _core
from cecore.threads import get_num_threads

__all__ = ["available_isas", "isa", "show_config"]


def isa() -> str:
    """Return the name of the instruction set whose kernels are in use.

    It is the best that the CPU has, or the one that the environment variable `CECORE_ISA` named
    at import.

    Returns
    -------
    str
        One of `available_isas()`.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.isa() in ce.available_isas()
    True
    """
    return _core.isa()


def available_isas() -> tuple[str, ...]:
    """Return the names of the instruction sets that this CPU can run, best first.

    Returns
    -------
    tuple of str
        "scalar" is one that every CPU can run.

    Examples
    --------
    >>> import cecore as ce
    >>> "scalar" in ce.available_isas()
    True
    """
    return _core.available_isas()


def show_config() -> None:
    """Print versions, instruction sets and threading: what a bug report should contain.

    Examples
    --------
    >>> import cecore as ce
    >>> ce.show_config()  # doctest: +ELLIPSIS
    cecore     ...
    isa        ...
    threading  ...
    threads    ...
    python     ...
    numpy      ...
    platform   ...
    """
    print(f"cecore     {__version__}")
    print(f"isa        {isa()} (this CPU can run: {', '.join(available_isas())})")
    print(f"threading  {_core.threading()}")
    print(f"threads    {get_num_threads()}")
    print(f"python     {platform.python_version()}")
    print(f"numpy      {np.__version__}")
    print(f"platform   {platform.platform()}")
