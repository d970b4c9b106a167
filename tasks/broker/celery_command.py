"""Celery's own command line with our app: `flower`, `inspect` and so on, for the broker in HUMMINGSWEEP_BROKER."""

from __future__ import annotations

import sys

from tasks.broker.app import make_app
from tasks.settings import Settings


def main() -> int:
    """Run the Celery command that the arguments name; its exit code."""
    return make_app(Settings.read()).start(sys.argv[1:]) or 0
