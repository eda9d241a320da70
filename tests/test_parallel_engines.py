"""Value and gradient over many items, on real engines: processes and Dask, and workers that die."""

import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from compilers import compiler
from workload import (
    BITS,
    ITEMS,
    PARAMS,
    bits,
    both,
    fails,
    killed_at_the_first_try,
    loss,
    of_number,
    with_killer,
)

import microgradlib as mg
from microgradlib.parallel import value_and_grad

any_value_and_grad: Any = value_and_grad

# Processes.


def processes(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            patch.delenv(name)
        with processes(2) as executor:
            executor.submit(int).result(60)
            yield executor


def test_processes(pool: Executor) -> None:
    for chunk in (None, 13):
        assert bits(value_and_grad(loss, pool, chunk=chunk, timeout=60.0)(PARAMS, ITEMS)) == BITS


@pytest.mark.parametrize("backend", ["python"] + ["c"] * bool(compiler()))
def test_compiled_functions_in_processes(pool: Executor, backend: Any) -> None:
    f = mg.compile(mg.value_and_grad(lambda w, item: loss(w, item)), backend=backend)
    with pytest.raises(pickle.PicklingError, match=r"has no traces; .*, or call it before"):
        value_and_grad(f, pool, has_grad=True, timeout=60.0)(PARAMS, ITEMS)
    f(PARAMS, ITEMS[0])
    for _ in range(2):
        total = value_and_grad(f, pool, has_grad=True, chunk=20, timeout=60.0)
        assert bits(total(PARAMS, ITEMS)) == BITS


def test_errors_in_processes_leave_the_pool_whole(pool: Executor) -> None:
    for items, error in (
        ([1.0, -1.0], KeyError),
        ([1.0, "awkward"], RuntimeError),
        ([1.0, lambda: 1.0], pickle.PicklingError),
    ):
        with pytest.raises(error):
            value_and_grad(fails, pool, timeout=60.0)(1.0, items)  # type: ignore[list-item]
    with pytest.raises(pickle.PicklingError, match="define the function with def"):
        value_and_grad(lambda w, x: w, pool, timeout=60.0)(1.0, [1.0])
    assert value_and_grad(fails, pool, timeout=60.0)(1.0, [1.0, 2.0]) == (3.0, 3.0)


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_any_number_of_processes(workers: int) -> None:
    with processes(workers) as executor:
        total = value_and_grad(loss, executor, chunk=90 // workers, timeout=120.0)
        assert bits(total(PARAMS, ITEMS)) == BITS


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_a_process_that_is_killed(tmp_path: Path) -> None:
    items = with_killer(tmp_path / "killed")
    with processes(2) as executor:
        total = value_and_grad(killed_at_the_first_try, executor, chunk=5, timeout=60.0)
        with pytest.raises(BrokenProcessPool) as caught:
            total(PARAMS, items)
        assert caught.value.__notes__[-1].endswith(
            "and nothing was added up; make a new executor and call it again"
        )
    with processes(2) as executor:
        total = value_and_grad(killed_at_the_first_try, executor, chunk=5, timeout=60.0)
        assert bits(total(PARAMS, items)) == BITS


# Dask.


@pytest.fixture(scope="module")
def dask_executor() -> Iterator[Executor]:
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            patch.delenv(name)
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor(pure=False)


@pytest.mark.long
class TestDask:
    """On a cluster of two processes."""

    @pytest.mark.parametrize("chunk", [1, 17, None])
    def test_the_same_bits(self, dask_executor: Executor, chunk: int | None) -> None:
        total = value_and_grad(loss, dask_executor, chunk=chunk, timeout=60.0)
        assert bits(total(PARAMS, ITEMS)) == BITS
        total = value_and_grad(both, dask_executor, has_grad=True, chunk=chunk, timeout=60.0)
        assert bits(total(PARAMS, ITEMS)) == BITS

    def test_lambdas_and_equal_items(self, dask_executor: Executor) -> None:
        k = 3.0
        total = value_and_grad(lambda w, x: k * w * x, dask_executor, chunk=1, timeout=60.0)
        for _ in range(2):
            assert total(2.0, [1.0] * 10) == (60.0, 30.0)

    def test_an_executor_that_runs_equal_calls_once(self, dask_executor: Executor) -> None:
        pure = dask_executor._client.get_executor()  # type: ignore[attr-defined]
        total = value_and_grad(of_number, pure, chunk=1, timeout=60.0)
        assert total(2.0, [1.0] * 10) == (40.0, 40.0)

    def test_errors(self, dask_executor: Executor) -> None:
        total = value_and_grad(fails, dask_executor, chunk=2, timeout=60.0)
        with pytest.raises(KeyError, match="negative") as caught:
            total(1.0, [1.0, 2.0, 3.0, -1.0, 5.0])
        assert caught.value.__notes__ == ["parallel.value_and_grad: fails raised this at item 3"]
        with pytest.raises(RuntimeError, match="Awkward: 3: bad sensor"):
            total(1.0, ["awkward"])
        with pytest.raises(pickle.PicklingError, match="items cannot be sent to the workers"):
            total(1.0, [threading.Lock()])
        assert total(1.0, [1.0, 2.0, 3.0]) == (6.0, 6.0)

    def test_a_client_is_no_executor(self, dask_executor: Executor) -> None:
        with pytest.raises(TypeError, match=r"pass client.get_executor\(pure=False\)"):
            any_value_and_grad(loss, dask_executor._client)  # type: ignore[attr-defined]

    def test_a_worker_that_is_killed(self, dask_executor: Executor, tmp_path: Path) -> None:
        file = tmp_path / "killed"
        total = value_and_grad(killed_at_the_first_try, dask_executor, chunk=5, timeout=100.0)
        assert bits(total(PARAMS, with_killer(file))) == BITS
        assert file.exists()
