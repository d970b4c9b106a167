"""One process of a machine compiles the loops, the others wait for it."""

from __future__ import annotations

import errno
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from numba.core import caching

from tasks.child.kernels import _do_without_a_cache, _one_compiles


def test_who_comes_second_waits_until_the_first_has_compiled(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with _one_compiles(tmp_path):
            order.append("second")

    with _one_compiles(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait(10)
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_where_it_was_done_nobody_waits(tmp_path: Path) -> None:
    with _one_compiles(tmp_path):
        pass
    with _one_compiles(tmp_path), _one_compiles(tmp_path):
        pass


def test_a_compiler_that_failed_is_no_success(tmp_path: Path) -> None:
    try:
        with _one_compiles(tmp_path):
            raise MemoryError
    except MemoryError:
        pass
    assert not list(tmp_path.glob("compiled-*"))


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with _one_compiles(tmp_path / "file" / "cache"):
        pass


def test_a_loop_that_cannot_be_kept_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk no child could begin."""
    _do_without_a_cache()
    refused: list[int] = []

    def full(*_: object) -> None:
        refused.append(errno.ENOSPC)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.Cache, "_save_overload", full)
    caching.FunctionCache.__new__(caching.FunctionCache).save_overload(None, None)
    assert refused == [errno.ENOSPC]


def test_loops_are_loaded_without_scipy_and_who_multiplies_matrices_has_it() -> None:
    code = """
    import sys
    import numba
    from numba.np import linalg
    from tasks.child.kernels import _without_scipy

    with _without_scipy():
        assert numba.njit(lambda x: x + 1)(1) == 2
    assert "numba.np.arraymath" in sys.modules  # it has asked
    assert "scipy.linalg" not in sys.modules
    from numba.np.old_arraymath import _HAVE_BLAS
    assert _HAVE_BLAS
    linalg.ensure_blas()  # as the compiler of a product of matrices does
    assert "scipy.linalg.cython_blas" in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
