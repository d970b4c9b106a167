"""From a controllers folder and a config dict to hummingbot's config and controller objects.

A controllers folder is what Hummingbot users keep: `controllers/<type>/<name>.py`, helpers beside them, with or without
`__init__.py`; see tasks.upstream.backtest.folder for what `import controllers` means.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from tasks.errors import ControllerError, HummingsweepError
from tasks.named_types import ConfigValues, JsonObject
from tasks.nested import config_values, root_key
from tasks.protocol.messages import FeedNeed
from tasks.suggest import nearest, nearest_few
from tasks.upstream.backtest.failure import DEFAULT_OF_NONE, failure, in_users_words
from tasks.upstream.backtest.folder import (
    PACKAGE,
    activate,
    deactivate,
    guarded,
    is_loaded,
    known_classes,
    module_state,
    upstream_class_cache,
)
from tasks.upstream.backtest.market_like import MarketLike
from tasks.upstream.backtest.markets import markets_of
from tasks.upstream.backtest.probe import NoMarket, ProbeDataProvider
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.backtest.wanted import wanted_feeds
from tasks.upstream.names import (
    ControllerBase,
    ControllerConfigBase,
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
    MarketMakingControllerBase,
    MarketMakingControllerConfigBase,
)

__all__ = [
    "PACKAGE", "activate", "controller_class", "controller_config", "deactivate", "feed_needs", "is_loaded",
    "load_controller_module", "make_controller", "module_state", "upstream_class_cache",
]  # fmt: skip

#: What the engine's own candles are found by; some controllers name their pairs elsewhere.
_MARKET = ("connector_name", "trading_pair")

_CONFIG_BASES = (ControllerConfigBase, DirectionalTradingControllerConfigBase, MarketMakingControllerConfigBase)
_CONTROLLER_BASES = (ControllerBase, DirectionalTradingControllerBase, MarketMakingControllerBase)


def controller_config(
    values: ConfigValues, controllers: Path, config_id: str = "", *, restored: bool = False
) -> ControllerConfigBase:
    """A fresh hummingbot ControllerConfigBase from a config as `conf/controllers/*.yml` holds it.

    `values` go to the config class as they are ("a,b" strings and numeric strings are its validators' business);
    `config_id` becomes the `id` where `values` hold none. `controllers` is the folder or one that holds `controllers/`.

    The config class is the first one, by name, that the controller's module defines itself, and only where it defines
    none the first one it imported: upstream's `get_controller_config_instance_from_dict` takes the first of both.

    What an earlier point left in the folder's modules and classes is put back first, unless that is done (`restored`,
    see tasks.isolation.reset). Keys with dots lead into the values of others (tasks.nested).

    Raises ControllerError: not found, raising on import, without a config class, or refusing a value.
    """
    controller_type, name = values.get("controller_type"), values.get("controller_name")
    if not controller_type or not name:
        lacking = "controller_type" if not controller_type else "controller_name"
        raise ControllerError(f"controller: {lacking} is missing; it says which file in `controllers` is meant")
    root = activate(controllers)
    if not restored and not module_state().restore():
        deactivate()  # something cannot be put back: everything is imported anew
        root = activate(controllers)
    module = _controller_module(root, str(controller_type), str(name))
    config_class = _class_of(module, ControllerConfigBase, _CONFIG_BASES)
    values = _nested(values, config_class)
    try:
        return config_class(**{**values, "id": str(values.get("id") or "").strip() or config_id or str(name)})
    except ValidationError as error:
        reasons = "; ".join(_reason(detail, config_class) for detail in error.errors(include_url=False))
        raise ControllerError(f"{controller_type}/{name} refuses its config: {reasons}") from error
    except Exception as error:  # a validator may raise what pydantic does not catch, such as decimal.InvalidOperation
        key = _culprit(config_class, values, error)
        what = f"{key} = {values[key]!r}: {in_users_words(error)}" if key else in_users_words(error)
        raise ControllerError(f"{controller_type}/{name} refuses its config: {what}") from error


def _nested(values: ConfigValues, config_class: type[ControllerConfigBase]) -> JsonObject:
    """The values with those under names with dots put where the names lead. Raises ControllerError.

    Where the config leaves out what such a name leads into, and its class has a default for it, the other fields would
    silently be those of the default's own class: that is refused, with the default to write down.
    """
    plain = {name: value for name, value in values.items() if "." not in name}
    dotted = {name: value for name, value in values.items() if "." in name}
    for name in dotted:
        root = root_key(name)
        field_of = config_class.model_fields.get(root)
        if root in plain or field_of is None or field_of.is_required():
            continue
        default = field_of.get_default(call_default_factory=True, validated_data=plain)
        if default is not None:
            held = default.model_dump(mode="json") if hasattr(default, "model_dump") else default
            raise ControllerError(
                f"{name}: the sweep file's controller has no {root}; write down what it holds, so that the axis "
                f"changes one value of it: `{root}: {held}`"
            )
    try:
        return config_values(plain, dotted)
    except ValueError as error:
        raise ControllerError(str(error)) from None


def load_controller_module(controllers: Path, controller_type: str, name: str) -> ModuleType:
    """The module `controllers.<type>.<name>` of this folder, imported. Raises ControllerError."""
    return _controller_module(activate(controllers), controller_type, name)


def _controller_module(root: Path, controller_type: str, name: str) -> ModuleType:
    dotted = f"{PACKAGE}.{controller_type}.{name}"
    if dotted in sys.modules:
        return sys.modules[dotted]
    path = root.joinpath(controller_type, *name.split("."))
    if not path.with_suffix(".py").is_file() and not (path / "__init__.py").is_file():
        raise ControllerError(_not_found(root, controller_type, name))
    module = guarded(lambda: importlib.import_module(dotted), root, f"{controller_type}/{name}")
    module_state().snapshot()
    return module


def controller_class(config: ControllerConfigBase) -> type[ControllerBase]:
    """The controller class of a config: by the rule of `controller_config`, in the config class's module.

    A config class that overrides `get_controller_class` decides itself. Raises ControllerError.
    """
    config_class = type(config)
    if config_class not in known_classes():
        if config_class.get_controller_class is not ControllerConfigBase.get_controller_class:
            found = config.get_controller_class()
        else:
            found = _class_of(sys.modules[config_class.__module__], ControllerBase, _CONTROLLER_BASES)
        known_classes()[config_class] = found
    return known_classes()[config_class]


def make_controller(
    config: ControllerConfigBase, market: MarketLike, provider_class: type[SweepDataProvider] = SweepDataProvider
) -> ControllerBase:
    """A controller on a provider of its own. To be called inside the event loop. Raises what the controller raises."""
    provider = provider_class(market)
    controller = controller_class(config)(config=config, market_data_provider=provider, actions_queue=None)
    provider.attach(controller)
    return controller


def feed_needs(config: ControllerConfigBase, resolution: str, shift: int = 1) -> list[FeedNeed]:
    """The feeds a point needs, each once: those of the pairs it trades on in the engine's resolution, then those that
    the controller wants (`wanted_feeds`).

    `max_records`: candles before the period that indicators want, with those that a shift of `shift` candles takes.
    To be called inside an event loop: some controllers start tasks when they are made. Raises ControllerError.
    """
    traded = markets_of(config)
    market = NoMarket(resolution=resolution, shift=shift)
    try:
        controller = make_controller(config, market, ProbeDataProvider)
        wanted = wanted_feeds(controller)
    except HummingsweepError:
        raise
    except ValidationError as error:
        raise ControllerError(
            f"{config.controller_name}: asks for a feed that cannot be: "
            + "; ".join(f"{'.'.join(map(str, detail['loc']))} = {detail['input']!r}" for detail in error.errors())
            + f"; {DEFAULT_OF_NONE}"
        ) from error
    except Exception as error:
        raise failure(error, config) from error
    needs = {need.key: need for need in (FeedNeed(*pair, resolution, max(shift, 1)) for pair in traded)}
    for candles in wanted:
        need = FeedNeed(
            candles.connector, candles.trading_pair, candles.interval, candles.max_records + max(shift - 1, 0)
        )
        known = needs.get(need.key)
        if known is None or known.max_records < need.max_records:
            needs[need.key] = need
    return list(needs.values())


def _class_of(module: ModuleType, base: type, too_general: tuple[type, ...]) -> type:
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member not in too_general
    ]
    own = [member for member in found if member.__module__ == module.__name__]
    if not found:
        kind = "controller config" if base is ControllerConfigBase else "controller"
        raise ControllerError(f"{module.__name__} defines no {kind} class: one derived from {base.__name__} is needed")
    return (own or found)[0]


def _not_found(root: Path, controller_type: str, name: str) -> str:
    there = sorted(
        path.relative_to(root).with_suffix("").as_posix() for path in root.glob("*/*.py") if path.stem != "__init__"
    )
    near = [known for known in there if known.rpartition("/")[2] == name] or nearest_few(
        f"{controller_type}/{name}", there, 1, cutoff=0.0
    )
    hint = f"the nearest there is {near[0]}" if near else "the folder holds no controller"
    return f"{PACKAGE}/{controller_type}/{name}.py: no such controller; {hint}"


def _culprit(config_class: type[ControllerConfigBase], values: ConfigValues, error: Exception) -> str:
    """The key without which the config is accepted, or refused for another reason; "" when there is none."""
    for key in values:
        try:
            config_class(**{"id": "x", **{other: value for other, value in values.items() if other != key}})
        except ValidationError:
            return key  # the others went through, this one is only missing now
        except Exception as other:
            if (type(other), str(other)) != (type(error), str(error)):
                return key
        else:
            return key
    return ""


def _reason(detail: Any, config_class: type[ControllerConfigBase]) -> str:
    key = ".".join(str(part) for part in detail["loc"]) or "config"
    if detail["type"] == "extra_forbidden":
        if key in _MARKET:  # the sweep file must have it; the nearest valid key would be no help
            return f"its config class has no {key}: leave it out, its pairs stand under other keys"
        near = nearest(key, config_class.model_fields)
        return f"unknown key {key!r} (nearest: {near!r})"
    if detail["type"] == "missing":
        return f"{key} is missing"
    shown = repr(detail["input"])
    return f"{key} = {shown if len(shown) <= 80 else shown[:77] + '...'}: {detail['msg']}"
