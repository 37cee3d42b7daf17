"""Five screens: digits that others lose, models trained on real data, speed, and boosting.

Run `make demo`, or, with what it compares with installed, `python examples/demo.py`.
"""

from __future__ import annotations

import sys

import numpy as np

import cecore as ce

try:
    from sklearn import datasets
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    import boosting_screens
    from scipy_objective import fit
except ModuleNotFoundError as error:
    sys.exit(
        f"The demo compares with SciPy, scikit-learn, XGBoost, LightGBM and CatBoost, and "
        f"{error.name} is not installed: run make demo, which installs them."
    )

from cecore._bench import confident_row, peers, shapes
from cecore._bench.timing import interleave

PASTE = """\
import numpy as np, cecore as ce
logits, labels = np.array([[20, 0], [1, 3]], np.float32), [0, 1]
print(ce.SoftmaxCrossEntropy().loss_gradient(logits, labels))
"""


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def show_confident_row() -> None:
    heading("1. A confident, correct prediction: float32 logits [20, 0], label 0")
    print(f"{'':<24}{'loss':>16}{'gradient':>18}{'Hessian':>18}")
    for name, *values in confident_row.table(("NumPy, textbook", "SciPy", "scikit-learn")):
        print(f"{name:<24}{values[0]:>16}{values[1]:>18}{values[2]:>18}")
    print(
        "\nIn float32 1 + exp(-20) is 1, so log(sum) - x and p - 1 are 0. cecore only adds terms\n"
        "of one sign, and every digit stays: a tiny loss still counts in a sum over many rows,\n"
        "confident predictions keep their order, and gradient / Hessian is not 0 / 0."
    )


def train(name: str, data: dict, softmax: bool) -> None:
    """Fit on three quarters and print the log loss on the rest, beside scikit-learn's."""
    parts = train_test_split(data["data"], data["target"], random_state=0, stratify=data["target"])
    x_train, x_test, y_train, y_test = parts
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
    classes = len(data["target_names"])
    model = LogisticRegression(C=1.0, tol=1e-4, max_iter=1000)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        if softmax:
            return fit(ce.SoftmaxCrossEntropy(), x_train, y_train, outputs=classes)
        return fit(ce.SigmoidCrossEntropy(), x_train, y_train[:, None], outputs=1)

    weights, intercept = ours()
    logits = x_test @ weights + intercept
    if softmax:
        loss = ce.softmax_cross_entropy(logits, y_test, reduction="mean")
    else:
        loss = ce.sigmoid_cross_entropy(logits, y_test[:, None], reduction="mean")
    model.fit(x_train, y_train)
    sklearn_loss = log_loss(y_test, model.predict_proba(x_test))

    times = interleave({"ours": ours, "sklearn": lambda: model.fit(x_train, y_train)}, rounds=3)
    print(
        f"{name:<24}{loss:>12.6f}{sklearn_loss:>14.6f}"
        f"{times['ours'].median:>13.1f} ms{times['sklearn'].median:>11.1f} ms"
    )


def show_training() -> None:
    heading("2. Logistic regression by scipy.optimize with loss_gradient, on real data")
    print(f"{'':<24}{'held-out log loss':>26}{'training time':>30}")
    print(f"{'':<24}{'cecore':>12}{'scikit-learn':>14}{'cecore':>16}{'scikit-learn':>14}")
    train("digits, 10 classes", datasets.load_digits(), softmax=True)
    train("wine, 3 classes", datasets.load_wine(), softmax=True)
    train("breast cancer, sigmoid", datasets.load_breast_cancer(), softmax=False)
    print(
        "\nSame model, same penalty, same optimiser (L-BFGS) as LogisticRegression, written as\n"
        "one objective: examples/scipy_objective.py. Medians of 3 interleaved fits."
    )


def show_speed() -> None:
    threads = ce.get_num_threads()
    heading(f"3. Loss and gradient, float32, {ce.isa()}, at most {threads} threads")
    print(f"{'':<16}{'cecore':>12}{'NumPy':>24}{'scikit-learn':>24}")
    for name in ("200k x 100", "512 x 32000"):
        logits, labels = shapes.logits_and_labels(shapes.BY_NAME[name], "float32")
        problem = peers.Problem("loss + gradient", logits, labels, threads)
        calls = peers.contenders(problem, ("cecore", "NumPy", "scikit-learn"))
        peers.check_answers(calls, logits.dtype)
        times = interleave(calls, rounds=7)
        ours = times[peers.OURS].median
        line = f"{name:<16}{ours:9.2f} ms"
        for peer in ("NumPy", "scikit-learn"):
            line += f"{times[peer].median:13.2f} ms, {times[peer].median / ours:5.1f}x"
        print(line)
    print(
        "\nMedians of 7 interleaved calls; answers compared first. All calls write into arrays\n"
        "made before. NumPy has one thread; scikit-learn uses as many as cecore."
    )


def main() -> None:
    show_confident_row()
    show_training()
    show_speed()
    heading("4. Boosting: the builtin objective replaced by ours")
    boosting_screens.show_parity()
    heading("5. Boosting on soft labels, which no builtin multiclass objective takes")
    boosting_screens.show_soft_labels()
    heading("Three lines to paste")
    print(PASTE)


if __name__ == "__main__":
    main()
