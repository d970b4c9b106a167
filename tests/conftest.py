"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import benchmarks  # noqa: F401  found now: hummingbot puts its own folder first, where another package has this name

# the machines that run this share their cores: how long a draw takes says nothing about the code
settings.register_profile("shared cores", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared cores")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Kernels are compiled once for all processes of the tests, and for the next run of them."""
    os.environ.setdefault("NUMBA_CACHE_DIR", str(REPOSITORY / ".pytest_cache" / "kernels"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real candles beside the checkout; skips where they are not."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the checkout: tests on real candles are left out")
    return folder
