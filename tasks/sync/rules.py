"""Trading rules into `<folder>/<connector>.json`: {pair: {field of hummingbot's TradingRule: text, true or false}}.

    {
      "BTC-USDT": {"min_order_size": "0.001", "min_price_increment": "0.1", ...},
      "ETH-USDT": {...}
    }

Pairs that are in the file and were not asked for stay as they are.
"""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tasks.errors import HummingsweepError

Rules = dict[str, dict[str, Any]]


def chosen(found: Rules, pairs: tuple[str, ...], connector: str) -> Rules:
    """The rules of some pairs, or of all. Raises HummingsweepError for a pair the exchange does not have."""
    for pair in pairs:
        if pair not in found:
            raise HummingsweepError(unknown_pair(connector, pair, list(found)))
    return {pair: found[pair] for pair in pairs} if pairs else found


def unknown_pair(connector: str, pair: str, there: list[str]) -> str:
    """The sentence for a pair that is not traded: with the nearest ones that are."""
    close = difflib.get_close_matches(pair, there, n=3, cutoff=0.5) or sorted(there)[:3]
    return f"{connector} has no pair {pair}; the nearest are {', '.join(close)}"


def write(path: Path, rules: Rules) -> None:
    """Put rules into a file beside the pairs that are there, whole or not at all. Raises HummingsweepError, OSError."""
    merged = {**_read(path), **rules}
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(pair)}: {json.dumps(fields)}" for pair, fields in sorted(merged.items()))
    handle, beside = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".json", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{{\n{lines}\n}}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)


def _read(path: Path) -> Rules:
    try:
        there = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise HummingsweepError(f"{path}: cannot be read as JSON ({error}); mend it or move it elsewhere") from error
    if not isinstance(there, dict) or not all(isinstance(fields, dict) for fields in there.values()):
        raise HummingsweepError(f"{path}: does not map each trading pair to its rules; mend it or move it elsewhere")
    return there
