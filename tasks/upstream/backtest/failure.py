"""What a controller raised, as one sentence for the user: which controller, at which candle, where in their file."""

from __future__ import annotations

import traceback
import types
from decimal import Decimal
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from tasks.errors import ControllerError, HummingsweepError, NetworkBlackout, words
from tasks.times import iso

if TYPE_CHECKING:
    from tasks.upstream.backtest.provider import SweepDataProvider
    from tasks.upstream.names import ControllerConfigBase, ExecutorConfigBase

#: Fields that are named of those whose defaults were not read.
MAX_NAMED = 3
_COLLECTIONS_AND_NUMBERS = frozenset({list, tuple, dict, set, frozenset, int, float, Decimal})
#: Why a config that names no candles_connector has none, and not that of its connector_name.
DEFAULT_OF_NONE = (
    'a field whose default is None never reaches its validator: give it, such as `candles_connector: ""` and '
    '`candles_trading_pair: ""`'
)


def failure(error: Exception, config: ControllerConfigBase, provider: SweepDataProvider | None = None) -> Exception:
    """The error to raise in place of what came out of a controller.

    Errors of ours and blackout errors, also where a network library wrapped them, come back as they are; anything else
    becomes a ControllerError that names the candle (its open time, UTC) once the engine steps.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, NetworkBlackout | HummingsweepError):
            return seen
        seen = seen.__cause__ or seen.__context__
    when = "before the first candle"
    if provider is not None and provider.stepping:
        when = at_candle(provider)
    said = f"{config.controller_name} {when}: {in_users_words(error)}"
    return ControllerError("; ".join([said, *_unread_defaults(config)]))


def _unread_defaults(config: ControllerConfigBase) -> list[str]:
    """A sentence where fields that are not given have a text as default and are to hold no text: pydantic reads
    defaults with no validator, so "0.01,0.02" stays one where the controller expects a list."""
    fields = getattr(type(config), "model_fields", {})
    # Hummingbot's own bases read their texts where they use them
    own = {name for kind in type(config).__mro__ if not _is_upstreams(kind) for name in get_annotations(kind)}
    texts = [
        name
        for name, field in fields.items()
        if name in own - config.model_fields_set and isinstance(field.default, str) and _holds_no_text(field.annotation)
    ]
    if not texts:
        return []
    shown = ", ".join(f"{name}: {fields[name].default!r}" for name in texts[:MAX_NAMED])
    return [f"not given are {shown}, whose defaults no validator has read: write them down under `controller:`"]


def _is_upstreams(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("hummingbot", "pydantic", "builtins")


def _holds_no_text(annotation: Any) -> bool:
    """Whether values of this type are collections or numbers, and never a text."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    kinds = tuple(get_origin(kind) or kind for kind in kinds)
    return str not in kinds and any(kind in _COLLECTIONS_AND_NUMBERS for kind in kinds)


def unsupported(
    executor_config: ExecutorConfigBase, config: ControllerConfigBase, provider: SweepDataProvider
) -> ControllerError:
    """The error for an executor that no back-test simulates; upstream's engine would trade nothing and say nothing."""
    return ControllerError(
        f"{config.controller_name} {at_candle(provider)}: creates an executor of type "
        f"{getattr(executor_config, 'type', '?')!r} ({type(executor_config).__name__}); a back-test has "
        "position_executor, dca_executor, grid_executor and order_executor"
    )


def at_candle(provider: SweepDataProvider) -> str:
    """`at candle` and its open time."""
    return f"at candle {iso(provider.time())}"


def in_users_words(error: BaseException) -> str:
    """`Type: message (controllers/file.py, line n)` on one line; the last line of the user's own code on the way."""
    said = words(error)
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/controllers/" in frame.filename and "/site-packages/" not in frame.filename
    ]
    if frames:
        file = frames[-1].filename.rpartition("/controllers/")[2]
        text += f" (controllers/{file}, line {frames[-1].lineno})"
    if type(error).__name__ == "ValidationError" and getattr(error, "title", "") == "CandlesConfig":
        text += f"; {DEFAULT_OF_NONE}"
    if isinstance(error, AttributeError) and error.name == "candles_config":
        text += (
            "; Hummingbot's base of configs has no candles_config any more: name the feeds in get_candles_config, or "
            "give the config class a field `candles_config: list[CandlesConfig] = []`"
        )
    return " ".join(text.split())
