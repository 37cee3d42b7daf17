"""Thread control, and the limits that the default respects."""

import asyncio
import threading

import numpy as np
import pytest

import cecore as ce
from cecore import _core, _cpus, threads


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    monkeypatch.setattr(threads, "_process_wide", None)


def test_the_innermost_block_wins():
    ce.set_num_threads(5)
    with ce.num_threads(3):
        with ce.num_threads(2):
            assert ce.get_num_threads() == 2
        assert ce.get_num_threads() == 3
    assert ce.get_num_threads() == 5


def test_a_block_ends_with_an_exception():
    before = ce.get_num_threads()
    with pytest.raises(KeyError), ce.num_threads(before + 1):
        raise KeyError
    assert ce.get_num_threads() == before


def _in_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_a_block_holds_for_its_thread_only():
    with ce.num_threads(7):
        assert _in_thread(ce.get_num_threads) != 7


def test_the_process_wide_number_holds_for_all_threads():
    ce.set_num_threads(7)
    assert _in_thread(ce.get_num_threads) == 7


def test_a_block_holds_for_its_task_only():
    async def limited(n, started):
        with ce.num_threads(n):
            started.set()
            await asyncio.sleep(0)
            return ce.get_num_threads()

    async def both():
        first = asyncio.Event()
        return await asyncio.gather(limited(3, first), limited(4, asyncio.Event()))

    assert asyncio.run(both()) == [3, 4]


def test_calls_pass_the_number_on(monkeypatch):
    seen = []
    run = _core.run

    def recorded(*arguments):
        seen.append(arguments[-1])
        return run(*arguments)

    monkeypatch.setattr(_core, "run", recorded)
    with ce.num_threads(6):
        ce.softmax([1.0, 2.0])
    assert seen == [6]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_same_bits_for_any_number_of_threads(count):
    x = np.random.default_rng(0).normal(size=(300, 1000)).astype(np.float32)
    labels = np.arange(300)
    with ce.num_threads(1):
        expected = ce.SoftmaxCrossEntropy().loss_gradient(x, labels, reduction="mean")
    with ce.num_threads(count):
        result = ce.SoftmaxCrossEntropy().loss_gradient(x, labels, reduction="mean")
    assert result[0] == expected[0]
    np.testing.assert_array_equal(result[1], expected[1])


@pytest.mark.parametrize("setter", [ce.set_num_threads, lambda n: ce.num_threads(n).__enter__()])
def test_wrong_numbers_of_threads(setter):
    before = ce.get_num_threads()
    with pytest.raises(ValueError, match="n is 0, wanted at least 1"):
        setter(0)
    with pytest.raises(ValueError, match="n is 1025, wanted at most 1024"):
        setter(1025)
    with pytest.raises(TypeError, match=r"n is 1\.5, wanted an integer"):
        setter(1.5)
    assert ce.get_num_threads() == before


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("6", True), ("6,2", True), (" 6 ", True), ("", False), ("many", False), ("0", False)],
)
def test_values_of_omp_num_threads_that_openmp_obeys(variable, expected):
    assert threads._holds_a_number(variable) == expected


@pytest.mark.parametrize(
    ("own", "cpus", "quota", "told", "expected"),
    [
        (6, 4, 2, False, 2),
        (6, 4, np.inf, False, 4),
        (1, 4, 4, False, 1),
        (3, 4, 4, False, 3),
        (6, 4, 2, True, 6),
    ],
    ids=["quota", "affinity", "OpenMP of one thread", "OpenMP's own", "OMP_NUM_THREADS"],
)
def test_the_default(monkeypatch, own, cpus, quota, told, expected):
    """OpenMP's own number already follows OMP_NUM_THREADS and threadpoolctl."""
    monkeypatch.setattr(_core, "max_threads", lambda: own)
    monkeypatch.setattr(_core, "usable_cpus", lambda: cpus)
    monkeypatch.setattr(threads, "whole_quota", lambda: quota)
    monkeypatch.setattr(threads, "_OPENMP_WAS_TOLD", told)
    assert ce.get_num_threads() == expected


def _group(root, membership, files):
    for path, text in {"proc/self/cgroup": membership, **files}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return _cpus.quota(str(root))


V1 = "sys/fs/cgroup/cpu/job/cpu.cfs_"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, np.inf),
        ("0::/a/b\n", {"sys/fs/cgroup/a/cpu.max": "200000 100000\n"}, 2),
        (
            "0::/a/b\n",
            {
                "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "100000 100000\n",
            },
            1,
        ),
        (
            "4:memory:/m\n3:cpu,cpuacct:/job\n0::/\n",
            {V1 + "quota_us": "400000\n", V1 + "period_us": "100000\n"},
            4,
        ),
        ("3:cpu:/job\n", {V1 + "quota_us": "-1\n", V1 + "period_us": "100000\n"}, np.inf),
        # a container whose mount shows its own group as the root
        ("0::/host/path\n", {"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        ("0::/\n", {}, np.inf),
    ],
)
def test_quota_of_the_control_groups(tmp_path, membership, files, expected):
    assert _group(tmp_path, membership, files) == expected


def test_no_control_groups(tmp_path):
    assert _cpus.quota(str(tmp_path)) == np.inf


@pytest.mark.parametrize(("quota", "cpus"), [(0.5, 1), (2, 2), (2.1, 3), (np.inf, np.inf)])
def test_a_part_of_a_cpu_counts_as_one(monkeypatch, quota, cpus):
    monkeypatch.setattr(_cpus, "quota", lambda: quota)
    assert _cpus.whole_quota.__wrapped__() == cpus


def test_show_config(capsys):
    ce.show_config()
    printed = capsys.readouterr().out
    for part in (ce.__version__, ce.isa(), np.__version__, _core.threading()):
        assert part in printed
