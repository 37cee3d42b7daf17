"""One process in which cecore and other libraries with threads of their own work in turn.

python -m tests.neighbours first|last LIBRARY... imports cecore before or after the libraries, lets
each compute before and after it, and fails if any of them disturbs another. For `make coexist`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

THREADS = 2  # of each neighbour


def training_set() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 6))
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)


def load_torch() -> SimpleNamespace:
    import torch

    torch.set_num_threads(THREADS)
    x, y = training_set()
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def work() -> np.ndarray:
        scores = torch.tanh(x @ x[:100].T)
        return (torch.logsumexp(scores, 1) - scores[:, 0] * y).numpy()

    return SimpleNamespace(work=work, threads=torch.get_num_threads)


def load_sklearn() -> SimpleNamespace:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    x, y = training_set()

    def work() -> np.ndarray:
        model = HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=8)
        return model.fit(x, y).predict_proba(x)[:, 1]

    return SimpleNamespace(work=work, threads=_openmp_effective_n_threads)


def load_xgboost() -> SimpleNamespace:
    import xgboost

    xgboost.set_config(nthread=THREADS)
    x, y = training_set()

    def work() -> np.ndarray:
        data = xgboost.DMatrix(x, y)
        return xgboost.train({"objective": "binary:logistic"}, data, 5).predict(data)

    return SimpleNamespace(work=work, threads=lambda: xgboost.get_config()["nthread"])


def load_lightgbm() -> SimpleNamespace:
    import lightgbm

    x, y = training_set()
    options = {"objective": "binary", "verbose": -1, "num_threads": THREADS,
               "deterministic": True, "force_row_wise": True}  # fmt: skip

    def work() -> np.ndarray:
        return lightgbm.train(options, lightgbm.Dataset(x, y), 5).predict(x)

    return SimpleNamespace(work=work, threads=lambda: THREADS)


LOADERS: dict[str, Callable[[], SimpleNamespace]] = {
    "torch": load_torch,
    "sklearn": load_sklearn,
    "xgboost": load_xgboost,
    "lightgbm": load_lightgbm,
}


def load_cecore() -> Callable[[], None]:
    """The import and what is checked of every round of calls, without a warning from either."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from tests import processes

        x, y = processes.inputs()
        expected = processes.results(x, y, 1)

    def check() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(10):
                processes.run_threaded(x, y, expected)

    return check


def openmp_pools() -> dict[str, int]:
    """The threads of each OpenMP runtime in this process, by its file."""
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
    return {pool["filepath"]: pool["num_threads"] for pool in pools}


def main(order: str, libraries: list[str]) -> None:
    if order == "first":
        check = load_cecore()
        check()
    loaded = {name: LOADERS[name]() for name in libraries}
    results = {name: library.work() for name, library in loaded.items()}
    if order == "last":
        check = load_cecore()
    threads, pools = {name: each.threads() for name, each in loaded.items()}, openmp_pools()
    for _ in range(2):
        check()
        for name, library in loaded.items():
            np.testing.assert_allclose(library.work(), results[name], rtol=1e-6, err_msg=name)
    check()
    assert {name: each.threads() for name, each in loaded.items()} == threads
    assert openmp_pools() == pools
    print(*pools)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
