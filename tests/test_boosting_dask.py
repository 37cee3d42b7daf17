"""Training in Dask workers, in processes of joblib, and by threads that share an objective."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

distributed = pytest.importorskip("distributed")

import dask.array as da

import cecore as ce
from tests.boosting import loss_of, split

pytestmark = [
    pytest.mark.boosting,
    # Of Dask and of the libraries' interfaces to it, not of ours, whose warnings are UserWarnings.
    pytest.mark.filterwarnings(
        "default::DeprecationWarning", "default::FutureWarning", "default::ResourceWarning",
        "default::pytest.PytestUnraisableExceptionWarning", "default::RuntimeWarning",
        "ignore:Sending large graph:UserWarning", "ignore:Parameter:UserWarning",
        "ignore:Port .* is already in use:UserWarning",
        "ignore:.*customized objective:UserWarning",
    ),
]  # fmt: skip

NAMES = ["breast cancer, 2", "iris, 3"]


@pytest.fixture(scope="module")
def client():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        )
        with cluster, distributed.Client(cluster) as connected:
            yield connected


def chunked(client, *halves):
    """Return rows, labels and weights in two chunks, one half in the memory of each worker."""
    workers = sorted(client.scheduler_info()["workers"])
    arrays = []
    for parts in zip(*((h.x, h.y, h.w) for h in halves)):
        pieces = [
            da.from_delayed(client.scatter(a, workers=[w], hash=False), a.shape, a.dtype)
            for a, w in zip(parts, workers)
        ]
        arrays.append(da.concatenate(pieces))
    return arrays


@pytest.mark.parametrize("name", NAMES)
def test_xgboost(client, name):
    dask_xgboost = pytest.importorskip("xgboost.dask")
    import cecore.xgboost

    data = split(name, weighted=True)
    loss = loss_of(data)
    half = len(data.y) // 2
    x, y, w = chunked(
        client,
        data._replace(x=data.x[:half], y=data.y[:half], w=data.w[:half]),
        data._replace(x=data.x[half:], y=data.y[half:], w=data.w[half:]),
    )
    train_set = dask_xgboost.DaskDMatrix(client, x, y, weight=w)
    binary = data.classes == 2
    options = {"objective": "binary:logistic" if binary else "multi:softprob", "nthread": 1}
    if not binary:
        options["num_class"] = data.classes
    score = cecore.xgboost.base_score(loss, data.y, data.w)
    results = [
        dask_xgboost.train(
            client, {**options, "base_score": score}, train_set, num_boost_round=5, obj=obj,
            custom_metric=metric, evals=[(train_set, "train")], verbose_eval=False,
        )
        for obj, metric in (
            (None, cecore.xgboost.metric(loss, "probability")),
            (cecore.xgboost.objective(loss), cecore.xgboost.metric(loss)),
        )
    ]  # fmt: skip
    builtin, ours = (
        dask_xgboost.predict(client, r["booster"], x, output_margin=True).compute() for r in results
    )
    assert abs(ours - builtin).max() <= 1e-6 * max(1, abs(builtin).max())
    losses = [r["history"]["train"][type(loss).__name__] for r in results]
    assert losses[1] == pytest.approx(losses[0], abs=2e-6)
    margins = dask_xgboost.predict(client, results[1]["booster"], x, output_margin=True)
    p = margins.map_blocks(loss.probabilities).compute()
    direct = dask_xgboost.predict(client, results[1]["booster"], x).compute()
    assert p == pytest.approx(direct, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_lightgbm(client, name):
    """Both workers hold the same rows: LightGBM numbers workers at random, and each finds the bins
    of its share of the features in its own rows, so two builtin models differ otherwise."""
    lightgbm = pytest.importorskip("lightgbm")
    import cecore.lightgbm

    data = split(name, weighted=True)
    loss = loss_of(data)
    x, y, w = chunked(client, data, data)
    options = {
        "n_estimators": 5, "deterministic": True, "force_row_wise": True, "num_threads": 1,
        "boost_from_average": False, "client": client, "verbose": -1, "min_child_samples": 5,
    }  # fmt: skip
    models = [
        lightgbm.DaskLGBMClassifier(**options, **more).fit(x, y, sample_weight=w)
        for more in ({}, {"objective": cecore.lightgbm.objective(loss)})
    ]
    builtin, ours = (m.booster_.predict(data.x, raw_score=True) for m in models)
    assert np.array_equal(ours, builtin)
    p = cecore.lightgbm.probabilities(loss, models[1].to_local(), data.x, init_score=0)
    theirs = models[0].to_local().predict_proba(data.x)
    assert p == pytest.approx(theirs if p.ndim == 2 else theirs[:, 1], rel=1e-12)


@pytest.mark.filterwarnings("ignore:Training starts:UserWarning")
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_joblib_and_clone(library):
    """Cross-validation clones the estimator and pickles it into loky's processes."""
    pytest.importorskip(library)
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_predict

    data = split("generated, 2")
    x, y = data.x, data.y
    loss = ce.SigmoidCrossEntropy()
    if library == "xgboost":
        import xgboost

        import cecore.xgboost

        start = cecore.xgboost.base_score(loss, y)
        options = {"n_estimators": 5, "n_jobs": 1, "base_score": start}
        builtin = xgboost.XGBClassifier(**options)
        ours = xgboost.XGBClassifier(**options, objective=cecore.xgboost.objective(loss))
    elif library == "lightgbm":
        import lightgbm

        import cecore.lightgbm

        options = {"n_estimators": 5, "n_jobs": 1, "verbose": -1, "boost_from_average": False}
        options |= {"deterministic": True, "force_row_wise": True}
        builtin = lightgbm.LGBMRegressor(**options, objective="binary")
        ours = lightgbm.LGBMRegressor(**options, objective=cecore.lightgbm.objective(loss))
    else:
        import catboost

        import cecore.catboost

        options = {
            "iterations": 5, "thread_count": 1, "verbose": False, "learning_rate": 0.3,
            "bootstrap_type": "No", "random_strength": 0, "leaf_estimation_iterations": 1,
            "leaf_estimation_method": "Newton", "allow_writing_files": False,
            "eval_metric": "Logloss",
        }  # fmt: skip
        builtin = catboost.CatBoostClassifier(**options, loss_function="Logloss")
        ours = catboost.CatBoostClassifier(**options, loss_function=cecore.catboost.objective(loss))
    method = "predict" if library == "lightgbm" else "predict_proba"
    expected = cross_val_predict(builtin, x, y, cv=2, method=method)
    predicted = cross_val_predict(clone(ours), x, y, cv=2, method=method, n_jobs=2)
    if library == "lightgbm":
        predicted = loss.probabilities(predicted)
    assert predicted == pytest.approx(expected, abs=2e-6)


def test_threads_may_share_an_objective():
    """The kept memory is a thread's own."""
    import cecore.xgboost

    loss = ce.SoftmaxCrossEntropy()
    objective = cecore.xgboost.objective(loss)
    rng = np.random.default_rng(0)
    cases = [(rng.integers(5, size=4000), rng.normal(size=(4000, 5))) for _ in range(8)]

    def differing(case):
        labels, margins = case
        expected = loss.gradient(margins, labels)
        return sum(not np.array_equal(objective(labels, margins)[0], expected) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(differing, cases)) == [0] * len(cases)
