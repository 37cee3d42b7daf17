"""The benchmark's own parts, on small inputs: same work for all, the probe, verdicts, pages."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cecore as ce
from cecore._bench import (
    cases,
    machine,
    page,
    peers,
    probe,
    report,
    results,
    run,
    shapes,
    targets,
    timing,
    worker,
)
from cecore._bench.cases import ELEMENT_OPERATIONS, OPERATIONS, ROW_OPERATIONS, Case
from cecore._bench.results import PROBE, SERIAL, Measured, Result, Store
from cecore._bench.shapes import Shape
from cecore._bench.timing import Times

SMALL, FLAT = Shape("small", 200, 7), Shape("flat", 3000, 1)


def problem(operation, dtype="float32", order="C", labels="sparse", threads=1):
    shape = FLAT if operation in ELEMENT_OPERATIONS else SMALL
    return peers.Problem(operation, *shapes.logits_and_labels(shape, dtype, order, labels), threads)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", cases.WHOLE)
def test_peers_do_the_same_work(operation, dtype):
    calls = peers.contenders(problem(operation, dtype))
    assert {peers.OURS, "NumPy"} <= set(calls)
    peers.check_answers(calls, dtype)


@pytest.mark.parametrize("operation", ROW_OPERATIONS)
@pytest.mark.parametrize(
    ("order", "labels"), [("Fortran", "sparse"), ("middle axis", "sparse"), ("C", "dense")]
)
def test_peers_do_the_same_work_in_other_layouts(operation, order, labels):
    calls = peers.contenders(problem(operation, order=order, labels=labels))
    assert {peers.OURS, "NumPy"} <= set(calls)
    peers.check_answers(calls, "float32")


@pytest.mark.parametrize("operation", ["logsumexp", "softmax", "loss + gradient", "sigmoid"])
@pytest.mark.parametrize("dtype", cases.HALF)
def test_half_types_are_measured_where_they_are_taken(operation, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    calls = peers.contenders(problem(operation, dtype))
    assert dtype == "bfloat16" or peers.OURS in calls
    if peers.OURS in calls:
        peers.check_answers(calls, problem(operation, dtype).logits.dtype)


@pytest.mark.parametrize("wrong", [np.exp, lambda x: x[:1], lambda x: np.full_like(x, np.nan)])
def test_other_work_is_noticed(wrong):
    softmax = problem("softmax")
    calls = {**peers.contenders(softmax), "wrong": lambda: wrong(softmax.logits)}
    with pytest.raises(AssertionError, match="wrong and cecore disagree"):
        peers.check_answers(calls, "float32")


# Bytes read and written by a call on 200 x 7 or 3000 float32: 5600 or 12000 of logits, 1600 of
# int64 labels, 800 of row values.
TRAFFIC = {
    "logsumexp": ([5600], [800]),
    "loss": ([5600, 1600], [800]),
    "softmax": ([5600], [5600]),
    "log_softmax": ([5600], [5600]),
    "loss + gradient": ([5600, 1600], [5600]),
    "sigmoid": ([12000], [12000]),
    "sigmoid loss + gradient": ([12000, 12000], [12000]),
    "gradient + Hessian": ([12000, 12000], [12000, 12000]),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_probe_moves_the_bytes_of_the_call(operation):
    reads, writes = probe.traffic(problem(operation))
    assert ([a.size for a in reads], [a.size for a in writes]) == TRAFFIC[operation]
    reads, writes = probe.traffic(problem(operation, "float64"))
    labels = [1600] if operation in ("loss", "loss + gradient") else []
    double = [2 * n for n in TRAFFIC[operation][0]]
    assert [a.size for a in reads] == double[:1] + (labels or double[1:])
    assert [a.size for a in writes] == [2 * n for n in TRAFFIC[operation][1]]


def test_dense_labels_are_read_whole():
    reads, _ = probe.traffic(problem("loss", labels="dense"))
    assert [a.size for a in reads] == [5600, 5600]


def test_a_row_beyond_the_cache_is_read_twice():
    for operation in OPERATIONS:
        needs_the_sum = operation in ("softmax", "log_softmax", "loss + gradient")
        some = problem(operation)
        assert probe.reads_twice(some, cache=27) == needs_the_sum
        assert not probe.reads_twice(some, cache=28)
        probe.probe(some, cache=27)()


def test_calls_take_turns_on_arrays_that_no_cache_holds():
    some = problem("softmax", order="Fortran")  # 11200 bytes
    for cache, count in ((11200 * 16 + 16, 1), (11200 * 10, 30), (11200, 3), (11200 // 3, 1)):
        several = probe.copies(some, cache)
        assert len(several) == count
        assert several[0] is some
        for other in several[1:]:
            assert other.logits.strides == some.logits.strides
            assert not np.shares_memory(other.logits, some.logits)
    turns = []
    call = worker._in_turn([lambda: turns.append(0), lambda: turns.append(1)])
    for _ in range(3):
        call()
    assert turns == [0, 1, 0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (100_003, 1), (20_011, 10), (2, 150_001)])
@pytest.mark.parametrize("offset", [0, 1, 63])
def test_probe_fills_what_it_writes_and_nothing_else(threads, rows, classes, offset):
    n = rows * classes
    source, target = np.full(n, 7, np.uint8), np.full(n + 128, 7, np.uint8)
    inside = target[offset : offset + n]
    ce._core.probe([source], [inside], rows, classes, threads)
    assert not inside.any()
    assert (target[:offset] == 7).all()
    assert (target[offset + n :] == 7).all()
    assert (source == 7).all()


def test_probe_takes_at_most_eight_arrays():
    with pytest.raises(ValueError, match="9 arrays, wanted at most 8"):
        ce._core.probe([np.zeros(1, np.uint8)] * 9, [], 1, 1, 1)


def test_interleaved_times_are_ordered():
    for times in (
        timing.interleave({"a": list, "b": dict}, rounds=3),
        timing.after_pause({"a": list, "b": dict}, rounds=3),
    ):
        assert set(times) == {"a", "b"}
        assert all(0 <= t.minimum <= t.median <= t.maximum for t in times.values())


def test_contenders_take_turns_within_their_budget():
    turns = []
    sample = {"a": 1.0, "b": 1.0}
    contenders = {name: (lambda name=name: turns.append(name)) for name in sample}
    timing._interleave(contenders, 5, -1.0, lambda call, _: call() or 0.0)
    assert turns == ["a", "b"] * timing.LEAST


def test_plan_has_every_shape_type_and_state():
    plan = cases.plan((1, 2))
    assert len(set(plan)) == len(plan)
    assert {c.operation for c in plan} == set(OPERATIONS)
    assert {c.dtype for c in plan} == set(cases.DTYPES)
    assert {c.state for c in plan} == set(cases.STATES)
    assert {c.order for c in plan} == set(shapes.ORDERS)
    assert {c.shape for c in plan} == set(shapes.BY_NAME.values())
    assert 0 < len(cases.quick(plan)) < 25
    assert set(cases.quick(plan)) < set(plan)


def test_every_target_names_a_case():
    plan = cases.plan((1, 2))
    for kind in targets.KINDS:
        for target in targets.TARGETS[kind]:
            assert any(targets._matches(kind, target, case, 2) for case in plan), target
    assert len(targets.named(plan)) < len(plan)


@pytest.mark.parametrize("threads", [(1,), (1, 2), (1, 64)])
def test_nothing_measured_reaches_no_target(threads):
    judged = list(targets.verdicts(cases.plan(threads), Measured([])))
    assert {str(v) for v in judged} == {"not measured"}
    assert targets.reached(judged).startswith("0 of ")


def times(**milliseconds):
    names = {"ours": peers.OURS, "fresh": peers.OURS_FRESH, "serial": SERIAL}
    return {names.get(name, name): Times(ms, ms, ms) for name, ms in milliseconds.items()}


def verdict(kind, target, found):
    measured = Measured([found])
    return str(targets._verdict(kind, target, measured.cases, measured))


SOME = Case("softmax", Shape("some", 100, 10), "float32", 1)
OTHER = SOME._replace(shape=Shape("other", 1000, 10))


@pytest.mark.parametrize(
    ("kind", "target", "found", "expected"),
    [
        ("probe", {"percent": [50, 99]}, Result(SOME, times(ours=2, probe=1)), "50 % PASS"),
        ("probe", {"percent": [51, 0]}, Result(SOME, times(ours=2, probe=1)), "50 % MISSED"),
        # 2 us an element in the cache, 2.3 of all
        ("bounds", {"at_most": 1.15}, Result(SOME, times(ours=2.3, probe=1), 2e3), "1.15x PASS"),
        ("bounds", {"at_most": 1.15}, Result(SOME, times(ours=2.4, probe=2), 1e3), "1.20x MISSED"),
        ("bounds", {"at_most": 9}, Result(SOME, times(ours=2, probe=1)), "not measured"),
        ("peer", {"at_least": 3}, Result(SOME, times(ours=2, torch=6, jax=9)), "3.0x PASS"),
        ("peer", {"at_least": 3}, Result(SOME, times(ours=2, torch=5, jax=9)), "2.5x MISSED"),
        (
            "peer", {"at_least": 3, "peers": ["jax"]},
            Result(SOME, times(ours=2, torch=5, jax=9)), "4.5x PASS",
        ),
        (
            "peer", {"at_least": 3, "ours": peers.OURS_FRESH},
            Result(SOME, times(ours=2, fresh=4, torch=9)), "2.2x MISSED",
        ),
        ("peer", {"at_least": 3}, Result(SOME, times(ours=2)), "not measured"),
        (
            "call", {"at_most": 1, "ours": peers.OURS},
            Result(SOME, times(ours=1e-3)), "1.00 us PASS",
        ),
        (
            "call", {"at_most": 1, "ours": peers.OURS},
            Result(SOME, times(ours=2e-3)), "2.00 us MISSED",
        ),
        ("pause", {"at_most": 1.1}, Result(SOME, times(ours=1.1, serial=1)), "1.10x PASS"),
        ("pause", {"at_most": 1.1}, Result(SOME, times(ours=1.2, serial=1)), "1.20x MISSED"),
    ],
)  # fmt: skip
def test_verdicts(kind, target, found, expected):
    assert verdict(kind, target, [found]) == expected


def test_the_worst_case_decides():
    found = [Result(SOME, times(ours=1, probe=1)), Result(OTHER, times(ours=2, probe=1))]
    assert verdict("probe", {"percent": [60, 60]}, found) == "50 % (other) MISSED"


@pytest.mark.parametrize(("other", "text"), [(8, "1.25x (some : other) MISSED"), (12, "1.20x")])
def test_flat_is_the_largest_over_the_smallest(other, text):
    found = [Result(SOME, times(ours=1)), Result(OTHER, times(ours=other))]
    assert verdict("flat", {"at_most": 1.2}, found).startswith(text)


def test_a_figure_is_the_median_of_the_processes():
    runs = [[Result(SOME, times(ours=ours, probe=1))] for ours in (1, 2, 4)]
    runs.append([Result(SOME, {}, failed="the process died")])
    measured = Measured(runs)
    assert measured.figure(SOME, lambda r: r.ratio(PROBE)) == 0.5
    assert measured.result(SOME).times[peers.OURS] == Times(2, 1, 4)


def test_a_run_is_stored_line_by_line_and_continued(tmp_path):
    path, about = tmp_path / "into" / "run-1.jsonl", {"CPU": "any", "command": "bench"}
    stored = [Result(SOME, times(ours=1.5)), Result(OTHER, times(ours=2), 0.25)]
    store = Store(path, about, keep=True)
    for result in (*stored, Result(OTHER, {}, failed="the process died")):
        store.add(result)
    with path.open("a") as file:
        file.write('{"case": [cut off')
    other_start = {**about, "command": "bench --continue", "load before": "0.1"}
    known = Store(path, other_start, keep=True).results
    assert repr(known) == repr(stored)  # as NaN is not NaN
    Store(path, about, keep=True).add(stored[0])
    assert len(results.load(path)[1]) == 3
    with pytest.raises(SystemExit, match="another machine"):
        Store(path, {"CPU": "other"}, keep=True)
    assert Store(path, {"CPU": "other"}, keep=False).results == []


def test_after_a_crash_another_process_goes_on():
    asked = []

    def dies_at_the_second(request, threads, into):
        asked.append(len(request["cases"]))
        if asked[-1] > 1:
            yield Result(cases.from_json(request["cases"][0]), times(ours=1))

    wanted = [SOME, OTHER, SOME._replace(dtype="float64"), SOME._replace(threads=2)]
    found = list(run._measured(wanted, {}, Path(), dies_at_the_second))
    assert [result.case for result in found] == wanted
    assert [bool(result.failed) for result in found] == [False, True, True, True]
    assert asked == [3, 1, 1]


def test_a_peer_with_another_answer_is_named_and_not_timed(monkeypatch):
    arrays = shapes.logits_and_labels(SMALL, "float32")
    given = peers.contenders

    def with_a_wrong_one(problem, libraries):
        return {**given(problem, libraries), "wrong": lambda: np.exp(problem.logits)}

    monkeypatch.setattr(peers, "contenders", with_a_wrong_one)
    case = Case("softmax", SMALL, "float32", 1)
    found = worker.measure(case, arrays, 1, 1.0, ["cecore", "NumPy"])
    assert found.wrong == ("wrong",)
    assert set(found.times) == {PROBE, peers.OURS, peers.OURS_FRESH, "NumPy"}
    again = results.result_from_json(json.loads(json.dumps(results.result_to_json(found))))
    assert again == found
    assert "another answer: wrong" in str(found)


def test_a_case_that_fails_says_why():
    broken = worker.attempt(SOME, worker.Arrays(), 1, 1.0, ["nobody"])
    assert "nobody" in broken.failed
    assert "nobody" in "".join(report.text_lines(broken))


def everything(threads):
    """Made-up results of a whole run."""
    found = []
    for i, case in enumerate(cases.plan(threads)):
        taken = times(ours=1 + i, probe=1, serial=2, fresh=3, torch=i, jax=4)
        found.append(Result(case, taken, 0.5))
    return Measured([found])


def test_page_pictures_and_readme_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    root = Path(__file__).parent.parent
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/performance.md"):
        shutil.copy(root / name, tmp_path / name)
    found = everything((1, 2))
    judged = list(targets.verdicts(found.cases, found))
    about = {**machine.describe(), "load before": machine.load(), "command": "cecore bench"}
    written = []
    for _ in range(2):
        page.write(found, judged, about, tmp_path)
        written.append({p.name: p.read_bytes() for p in tmp_path.rglob("*.*")})
    assert written[0] == written[1]
    text = (tmp_path / "docs" / "performance.md").read_text()
    assert text.count("written by `cecore bench`") == 7
    assert "MISSED" in text
    assert b"<svg" in written[0]["speed_peers.svg"]
    with pytest.raises(SystemExit, match="needs a clone"):
        page.write(found, judged, about, tmp_path / "nowhere")


def test_a_lost_case_stays_in_the_tables():
    case = Case("softmax", shapes.BY_NAME["1M x 3"], "float32", 1)
    lost = Measured([[Result(case, times(ours=3, probe=1, torch=1.5), 1.0, wrong=("jax",))]])
    assert "| 0.5x torch |" in report.case_table(lost, "float32", 1)
    assert "0.5x torch |" in report.key_table(lost, 1)
    assert "| 1.5 |" in report.peer_table(lost, "float32", 1)


def bench(*arguments):
    command = [sys.executable, "-c", "from cecore.cli import main; main()", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_lists_what_is_selected():
    listed = bench("--list", "--operation", "softmax", "--shape", "1 x 10", "--threads", "1")
    assert listed.stdout == "softmax, 1 x 10, float32, 1 thread\n", listed.stderr
    assert bench("--operation", "entropy").returncode == 2


def test_a_whole_run_on_small_inputs(tmp_path, monkeypatch, capsys):
    wanted = [
        Case("softmax", SMALL, "float32", 1),
        Case("gradient + Hessian", FLAT, "float64", 1),
        Case("logsumexp", shapes.TINY, "float32", 1, state="call"),
        Case("softmax", SMALL, "float32", 1, state="after a pause"),
    ]
    monkeypatch.setattr(cases, "plan", lambda threads: wanted)
    monkeypatch.setattr(sys, "argv", ["cecore", "bench"])
    parser = run.argparse.ArgumentParser()
    run.add_options(parser)

    def call(*arguments):
        run.main(parser.parse_args(["--into", str(tmp_path), "--peers", "NumPy", *arguments]))
        return capsys.readouterr().out

    printed = call("--rounds", "3")
    assert "4/4  softmax, small, float32, after a pause, 1 thread" in printed
    found = json.loads((tmp_path / "results.json").read_text())["processes"][0]
    assert [cases.from_json(result["case"]) for result in found] == wanted
    assert not any(result["failed"] for result in found)
    assert set(found[0]["times"]) == {PROBE, peers.OURS, peers.OURS_FRESH, "NumPy"}
    assert "process 1/1" not in call("--rounds", "3", "--continue")
    assert "gradient + Hessian, flat, float64" in call("--report")


def test_without_figures_there_is_no_report(tmp_path):
    with pytest.raises(SystemExit, match="no figures"):
        run.main(SimpleNamespace(list=0, check=0, quick=0, report=1, into=tmp_path))


def test_import_leaves_the_benchmark_alone():
    code = "import sys, cecore; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert not {"cecore._bench", "cecore.cli", "argparse"} & set(loaded.split())
