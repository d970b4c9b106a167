"""The command `hummingsweep`, also `python -m hummingsweep`."""

from __future__ import annotations

from hummingsweep import _import_path


def main() -> None:
    """Entry point of the command."""
    _import_path.put_in_order()
    from orchestrator.cli import main

    main()


if __name__ == "__main__":
    main()
