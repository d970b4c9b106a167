"""Celery's app class, kept from taking settings or code from where it was not told to.

Celery looks for modules in the current folder first, and lets environment variables of the user's own Celery project
(CELERY_BROKER_URL, CELERY_CONFIG_MODULE, APP, BROKER_URL, ...) win over what the program says.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from celery import Celery
from celery.loaders.app import AppLoader


class OwnLoader(AppLoader):  # type: ignore[misc]  # Celery has no types
    """Loads the task modules from `sys.path` alone, and no configuration module."""

    def import_from_cwd(self, module: str, imp: object = None, package: str | None = None) -> ModuleType:
        """Import a module, without the current folder in front of `sys.path`."""
        return importlib.import_module(module, package)

    def read_configuration(self, env: str = "CELERY_CONFIG_MODULE") -> None:
        """No configuration beside what the program sets."""


class OwnCelery(Celery):  # type: ignore[misc]  # Celery has no types
    """An app whose broker is the one it was made with."""

    backend_cls = "disabled"  # as an attribute it wins over CELERY_RESULT_BACKEND

    def __init__(self, *arguments: Any, **options: Any):
        # no fixups: Celery's for Django imports the module that DJANGO_SETTINGS_MODULE names, from the current folder
        super().__init__(*arguments, **{"loader": OwnLoader, "fixups": (), **options})

    def start(self, argv: Sequence[str] | None = None) -> Any:
        """Run Celery's command line with this app; its global options come from `argv` alone."""
        from celery.bin.celery import celery

        for option in celery.params:
            option.envvar = None
        return super().start(argv)

    def _connection(self, url: str | None, *arguments: Any, **options: Any) -> Any:
        """Every connection passes here. `url` may stem from CELERY_BROKER_URL, the setting does not."""
        return super()._connection(self.conf["broker_url"], *arguments, **options)
