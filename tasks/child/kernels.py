"""The compiled loops of all executors ("kernels"), made once for a machine.

python -m tasks.child.kernels       at set-up, so that the first sweep finds them
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.settings import Settings


def compile_kernels(settings: Settings) -> None:
    """Compile every loop, or load it from the cache: NUMBA_CACHE_DIR, or a folder of the user's cache.

    To be called before numba is imported, which reads NUMBA_CACHE_DIR then.
    """
    cache = Path(os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.cache_folder / "kernels")))
    from tasks.engine.executors.warm import warm

    _do_without_a_cache()
    with _one_compiles(cache), _without_scipy():
        warm()


def _do_without_a_cache() -> None:
    """Let numba compile a loop that it cannot keep, because the disk is full or takes nothing; it raises otherwise."""
    from numba.core import caching

    kind: Any = caching.Cache
    if hasattr(kind.save_overload, "is_tolerant"):
        return
    original = kind.save_overload

    def save_overload(cache: Any, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):  # the next child compiles it again
            original(cache, sig, data)

    save_overload.is_tolerant = True  # type: ignore[attr-defined]  # says that it is ours
    kind.save_overload = save_overload


@contextlib.contextmanager
def _without_scipy() -> Iterator[None]:
    """Keep numba from importing SciPy to learn whether it is installed, a quarter of a second in every child.

    numba asks once, while its own modules are imported, which is when the first loop is loaded. Whoever compiles a
    product of matrices later has SciPy imported then.
    """
    from numba.np import linalg

    asks = linalg.ensure_blas
    if importlib.util.find_spec("scipy") is None:  # then the answer costs nothing
        yield
        return
    linalg.ensure_blas = lambda: None
    try:
        yield
    finally:
        linalg.ensure_blas = asks


@contextlib.contextmanager
def _one_compiles(cache: Path) -> Iterator[None]:
    """The first process of a machine compiles the kernels, which takes a minute; the others wait and find them in the
    cache. Where they are compiled already nobody waits.
    """
    code = Path(__file__).parents[1] / "engine"
    stamps = sorted((file.name, file.stat().st_mtime_ns) for file in code.rglob("*.py"))
    done = cache / f"compiled-{hashlib.sha256(repr((sys.version, stamps)).encode()).hexdigest()[:16]}"
    if done.exists():
        yield
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "compiling").open("a")
    except OSError:  # numba says what it cannot write
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        with contextlib.suppress(OSError):
            done.touch()


if __name__ == "__main__":
    compile_kernels(Settings.read())
