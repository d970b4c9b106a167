"""Trading rules: from `<folder>/<connector>.json` or from the sweep file itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tasks.errors import TradingRulesMissing
from tasks.named_types import JsonObject

Rules = dict[str, dict[str, JsonObject]]

EXAMPLE = (
    '{"BTC-USDT": {"min_order_size": "0.001", "min_price_increment": "0.1", "min_base_amount_increment": "0.001", '
    '"min_notional_size": "5"}}'
)


def load(source: Path | JsonObject, markets: set[tuple[str, str]], perhaps: Iterable[tuple[str, str]] = ()) -> Rules:
    """The rules of the markets (connector, trading pair) a sweep trades on.

    `perhaps`: further markets that it may trade on, whose rules are taken where there are some: those whose candles
    its controller asks for. Raises TradingRulesMissing with what to write and the command that fetches them.
    """
    rules: Rules = {}
    for connector, pair in sorted(markets):
        if connector not in rules:
            rules[connector] = _of_connector(source, connector)
        if pair not in rules[connector]:
            where = source / f"{connector}.json" if isinstance(source, Path) else "trading_rules of the sweep file"
            known = ", ".join(sorted(rules[connector])) or "none"
            raise TradingRulesMissing(
                f"{where}: no trading rules for {pair} (there are: {known}); write them there as {EXAMPLE}, or fetch "
                f"them with `hummingsweep sync --connector {connector} --pair {pair} --rules`"
            )
    found = {
        connector: {pair: rules[connector][pair] for other, pair in markets if other == connector}
        for connector in rules
    }
    for connector, pair in sorted({*perhaps} - markets):
        if pair in (there := _of_connector_if_any(source, connector)):
            found.setdefault(connector, {})[pair] = there[pair]
    return found


def _of_connector_if_any(source: Path | JsonObject, connector: str) -> dict[str, JsonObject]:
    if isinstance(source, Path) and not (source / f"{connector}.json").is_file():
        return {}
    return _of_connector(source, connector)


def _of_connector(source: Path | JsonObject, connector: str) -> dict[str, JsonObject]:
    if isinstance(source, dict):
        return dict(source.get(connector, {}))
    file = source / f"{connector}.json"
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        raise TradingRulesMissing(
            f"{file}: no such file; write the trading rules of {connector} there as {EXAMPLE}, or fetch them with "
            f"`hummingsweep sync --connector {connector} --rules`"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise TradingRulesMissing(f"{file}: cannot be read as JSON ({error}); write {EXAMPLE}") from error
    if not isinstance(found, dict) or not all(isinstance(fields, dict) for fields in found.values()):
        raise TradingRulesMissing(f"{file}: must map each trading pair to its rules; write {EXAMPLE}")
    return found
