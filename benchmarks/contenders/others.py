"""What people use instead. Each is a context manager over (folder, workers) that yields `sweep(points) -> rows as they
come`; its worker processes have entered (imports, candles) before the first point is sent.

All of them run the jump-ahead engine but `stock`, which is upstream's engine in one process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from contenders.work import Row, compute, compute_stock, enter, quiet_stock

#: points 0 to n - 1 of the work -> their rows as they come
Sweep = Callable[[list[int]], Iterable[Row]]


class NotInstalled(Exception):
    """The contender's package is not installed."""


@contextlib.contextmanager
def stock(folder: Path, workers: int) -> Iterator[Sweep]:
    """One process, upstream's engine called directly."""
    enter(str(folder))
    quiet_stock()
    yield lambda points: map(partial(compute_stock, str(folder)), points)


@contextlib.contextmanager
def one_process(folder: Path, workers: int) -> Iterator[Sweep]:
    """One process, our engine: what the engine gives without any distribution."""
    enter(str(folder))
    yield lambda points: map(partial(compute, str(folder)), points)


@contextlib.contextmanager
def pool(folder: Path, workers: int) -> Iterator[Sweep]:
    """multiprocessing.Pool, spawn, a point a task."""
    from multiprocessing import get_context

    with get_context("spawn").Pool(workers, enter, (str(folder),)) as made:
        yield lambda points: made.imap_unordered(partial(compute, str(folder)), points, chunksize=1)


@contextlib.contextmanager
def joblib(folder: Path, workers: int) -> Iterator[Sweep]:
    """joblib with its default backend loky, which makes batches of points by itself."""
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise NotInstalled("joblib") from error
    with Parallel(n_jobs=workers, return_as="generator_unordered") as parallel:
        yield lambda points: parallel(delayed(compute)(str(folder), point) for point in points)


@contextlib.contextmanager
def dask(folder: Path, workers: int) -> Iterator[Sweep]:
    """Dask distributed, a local cluster of processes with one thread each, a future a point."""
    try:
        from distributed import Client, LocalCluster, as_completed
    except ImportError as error:
        raise NotInstalled("dask[distributed]") from error

    def sweep(points: list[int]) -> Iterator[Row]:
        futures = client.map(partial(compute, str(folder)), points, pure=False)
        for _, row in as_completed(futures, with_results=True):
            yield row

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR,
            local_directory=str(folder),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        client.run(enter, str(folder))
        yield sweep


@contextlib.contextmanager
def ray(folder: Path, workers: int) -> Iterator[Sweep]:
    """Ray, a remote call a point, at most 1,000 on the way."""
    os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0"}
    try:
        import ray as package
    except ImportError as error:
        raise NotInstalled("ray") from error
    package.init(
        num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
        object_store_memory=200 << 20,
    )  # fmt: skip

    def sweep(points: list[int]) -> Iterator[Row]:
        remote = package.remote(compute)
        queue, waiting = iter(points), []
        while True:
            waiting += [remote.remote(str(folder), point) for point in islice(queue, 1000 - len(waiting))]
            if not waiting:
                return
            done, waiting = package.wait(waiting, num_returns=1)
            more, waiting = package.wait(waiting, num_returns=len(waiting), timeout=0) if waiting else ([], [])
            yield from package.get(done + more)

    try:
        yield sweep
    finally:
        package.shutdown()


@contextlib.contextmanager
def celery(folder: Path, workers: int) -> Iterator[Sweep]:
    """Celery with a task a point, results in Redis, on the same server as this project uses."""
    from orchestrator.cluster.guardian import start_server

    place = folder / f"celery-{os.getpid()}"  # each turn has its own
    place.mkdir()
    server, broker = start_server(place)
    os.environ |= {"PEERS_BROKER": broker, "PEERS_WORK": str(folder)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "contenders.per_point", "worker", f"--concurrency={workers}",
         "--loglevel=ERROR", "--without-mingle", "--without-gossip"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(place / "worker.log").open("wb"),
    )  # fmt: skip
    try:
        from celery import group
        from contenders.per_point import point as task

        def sweep(points: list[int]) -> Iterator[Row]:
            answers = group(task.s(str(folder), point) for point in points).apply_async()
            for _, answer in answers.iter_native():
                number, row, pid, seconds = answer["result"]
                yield number, row, pid, seconds

        yield sweep
    finally:
        worker.terminate()
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        server.terminate()
        server.wait()
