"""Trading rules into `<folder>/<connector>.json`: {pair: {field of hummingbot's TradingRule: text, true or false}}.

    {
      "BTC-USDT": {"min_order_size": "0.001", "min_price_increment": "0.1", ...},
      "ETH-USDT": {...}
    }

Pairs that are in the file and were not asked for stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

from tasks.errors import HummingsweepError
from tasks.files import written_beside
from tasks.named_types import JsonObject
from tasks.suggest import nearest_few

Rules = dict[str, JsonObject]


def chosen(found: Rules, pairs: tuple[str, ...], connector: str) -> Rules:
    """The rules of some pairs, or of all. Raises HummingsweepError for a pair the exchange does not have."""
    for pair in pairs:
        if pair not in found:
            raise HummingsweepError(unknown_pair(connector, pair, list(found)))
    return {pair: found[pair] for pair in pairs} if pairs else found


def unknown_pair(connector: str, pair: str, there: list[str]) -> str:
    """The sentence for a pair that is not traded: with the nearest ones that are."""
    close = nearest_few(pair, there, 3) or sorted(there)[:3]
    return f"{connector} has no pair {pair}; the nearest are {', '.join(close)}"


def write(path: Path, rules: Rules) -> None:
    """Put rules into a file beside the pairs that are there, whole or not at all. Raises HummingsweepError, OSError."""
    merged = {**_read(path), **rules}
    lines = ",\n".join(f"  {json.dumps(pair)}: {json.dumps(fields)}" for pair, fields in sorted(merged.items()))
    with written_beside(path) as beside:
        beside.write_text(f"{{\n{lines}\n}}\n")


def _read(path: Path) -> Rules:
    try:
        there = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise HummingsweepError(f"{path}: cannot be read as JSON ({error}); mend it or move it elsewhere") from error
    if not isinstance(there, dict) or not all(isinstance(fields, dict) for fields in there.values()):
        raise HummingsweepError(f"{path}: does not map each trading pair to its rules; mend it or move it elsewhere")
    return there
