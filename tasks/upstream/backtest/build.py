"""From a controllers folder and a config dict to hummingbot's config and controller objects.

A controllers folder is what Hummingbot users keep: `controllers/<type>/<name>.py`, helpers beside them, with or without
`__init__.py`. One folder is active at a time and answers to the import name `controllers`; another folder's modules are
unloaded first, so that two sweeps with different versions of one controller never mix in a child.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tasks.errors import ControllerError, HummingsweepError
from tasks.isolation.module_state import ModuleState
from tasks.protocol.messages import FeedNeed
from tasks.suggest import nearest, nearest_few
from tasks.upstream.backtest.failure import failure, in_users_words
from tasks.upstream.backtest.markets import markets_of
from tasks.upstream.backtest.provider import MarketLike, SweepDataProvider
from tasks.upstream.names import (
    BacktestingEngineBase,
    ControllerBase,
    ControllerConfigBase,
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
    MarketMakingControllerBase,
    MarketMakingControllerConfigBase,
)

if TYPE_CHECKING:
    import pandas as pd

#: The import name of a controllers folder, as in Hummingbot.
PACKAGE = "controllers"

#: What the engine's own candles are found by; some controllers name their pairs elsewhere.
_MARKET = ("connector_name", "trading_pair")

_CONFIG_BASES = (ControllerConfigBase, DirectionalTradingControllerConfigBase, MarketMakingControllerConfigBase)
_CONTROLLER_BASES = (ControllerBase, DirectionalTradingControllerBase, MarketMakingControllerBase)


def controller_config(values: Mapping[str, Any], controllers: Path, config_id: str = "") -> Any:
    """A fresh hummingbot ControllerConfigBase from a config as `conf/controllers/*.yml` holds it.

    `values` go to the config class as they are ("a,b" strings and numeric strings are its validators' business);
    `config_id` becomes the `id` where `values` hold none. `controllers` is the folder or one that holds `controllers/`.

    The config class is the first one, by name, that the controller's module defines itself, and only where it defines
    none the first one it imported: upstream's `get_controller_config_instance_from_dict` takes the first of both.

    A point begins here: what an earlier one left in the folder's modules and classes is put back.

    Raises ControllerError: not found, raising on import, without a config class, or refusing a value.
    """
    controller_type, name = values.get("controller_type"), values.get("controller_name")
    if not controller_type or not name:
        lacking = "controller_type" if not controller_type else "controller_name"
        raise ControllerError(f"controller: {lacking} is missing; it says which file in `controllers` is meant")
    root = activate(controllers)
    if not _active.state.restore():
        deactivate()  # something cannot be put back: everything is imported anew
        root = activate(controllers)
    module = _controller_module(root, str(controller_type), str(name))
    config_class = _class_of(module, ControllerConfigBase, _CONFIG_BASES)
    try:
        return config_class(**{**values, "id": str(values.get("id") or "").strip() or config_id or str(name)})
    except ValidationError as error:
        reasons = "; ".join(_reason(detail, config_class) for detail in error.errors(include_url=False))
        raise ControllerError(f"{controller_type}/{name} refuses its config: {reasons}") from error
    except Exception as error:  # a validator may raise what pydantic does not catch, such as decimal.InvalidOperation
        key = _culprit(config_class, values, error)
        what = f"{key} = {values[key]!r}: {in_users_words(error)}" if key else in_users_words(error)
        raise ControllerError(f"{controller_type}/{name} refuses its config: {what}") from error


def is_loaded(controllers: Path, controller_type: str, name: str) -> bool:
    """Whether the module `controllers.<type>.<name>` of this folder is imported. Raises ControllerError."""
    activate(controllers)
    return f"{PACKAGE}.{controller_type}.{name}" in sys.modules


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
    module = _guarded(lambda: importlib.import_module(dotted), root, f"{controller_type}/{name}")
    _active.state.snapshot()
    return module


def module_state() -> ModuleState:
    """What the active folder's modules and classes hold."""
    return _active.state


def controller_class(config: Any) -> Any:
    """The controller class of a config: by the rule of `controller_config`, in the config class's module.

    A config class that overrides `get_controller_class` decides itself. Raises ControllerError.
    """
    config_class = type(config)
    if config_class not in _active.controller_classes:
        if config_class.get_controller_class is not ControllerConfigBase.get_controller_class:
            found = config.get_controller_class()
        else:
            found = _class_of(sys.modules[config_class.__module__], ControllerBase, _CONTROLLER_BASES)
        _active.controller_classes[config_class] = found
    return _active.controller_classes[config_class]


def make_controller(config: Any, market: MarketLike) -> Any:
    """A controller on a provider of its own. To be called inside the event loop. Raises what the controller raises."""
    provider = SweepDataProvider(market)
    controller = controller_class(config)(config=config, market_data_provider=provider, actions_queue=None)
    provider.attach(controller)
    return controller


def feed_needs(config: Any, resolution: str, shift: int = 1) -> list[FeedNeed]:
    """The feeds a point needs, each once: those of the pairs it trades on in the engine's resolution, then those of the
    controller's `get_candles_config`.

    `max_records`: candles before the period that indicators want, with those that a shift of `shift` candles takes.
    To be called inside an event loop: some controllers start tasks when they are made. Raises ControllerError.
    """
    traded = markets_of(config)
    market = _NoMarket(resolution=resolution, shift=shift)
    try:
        controller = make_controller(config, market)
        wanted = controller.get_candles_config()
    except HummingsweepError:
        raise
    except ValidationError as error:
        raise ControllerError(
            f"{config.controller_name}: get_candles_config asks for a feed that cannot be: "
            + "; ".join(f"{'.'.join(map(str, detail['loc']))} = {detail['input']!r}" for detail in error.errors())
            + '. A field whose default is None never reaches its validator: give it, such as `candles_connector: ""`'
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


@dataclass
class _Active:
    """The controllers folder that `import controllers` means now."""

    root: Path | None = None
    #: the folder as it was asked for
    asked: Path | None = None
    package: ModuleType | None = None
    controller_classes: dict[type, Any] = field(default_factory=dict)
    state: ModuleState = field(default_factory=lambda: ModuleState(PACKAGE))


_active = _Active()


def activate(controllers: Path) -> Path:
    """Make `import controllers` mean this folder and return the folder itself. Raises ControllerError.

    Takes the folder or one that holds `controllers/`, as an extracted bundle does.
    """
    if controllers is _active.asked and _active.root is not None and sys.modules.get(PACKAGE) is _active.package:
        return _active.root
    inner = controllers / PACKAGE
    root = (inner if inner.is_dir() else controllers).resolve()
    if root == _active.root and sys.modules.get(PACKAGE) is _active.package:
        _active.asked = controllers
        return root
    if not root.is_dir():
        raise ControllerError(f"{controllers}: no such controllers folder; set `controllers:` in the sweep file")
    deactivate()
    importlib.invalidate_caches()
    entry = root / "__init__.py"
    if entry.is_file():
        spec = importlib.util.spec_from_file_location(PACKAGE, entry, submodule_search_locations=[str(root)])
        assert spec is not None and spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = package
        loader = spec.loader
        try:
            _guarded(lambda: loader.exec_module(package), root, PACKAGE)
        except ControllerError:
            del sys.modules[PACKAGE]
            raise
    else:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(root)]
        sys.modules[PACKAGE] = package
    _active.root, _active.asked, _active.package = root, controllers, package
    return root


def deactivate() -> None:
    """Unload every module that came from the active folder, and the classes upstream and this module remember."""
    root = _active.root
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        # The name first: thousands of modules are loaded, and to compare paths costs more than a run of the engine.
        of_root = root is not None and isinstance(file, str) and root.name in file and Path(file).is_relative_to(root)
        if of_root or name == PACKAGE or name.startswith(f"{PACKAGE}."):
            del sys.modules[name]
    _active.root = _active.package = None
    _active.controller_classes.clear()
    _active.state = ModuleState(PACKAGE)
    upstream_class_cache().clear()


def upstream_class_cache() -> dict[str, Any]:
    """Upstream's cache of controller classes: by controller_name alone, whatever type or folder they came from."""
    cache: dict[str, Any] = BacktestingEngineBase._BacktestingEngineBase__controller_class_cache
    return cache


@dataclass(frozen=True)
class _NoMarket:
    """A market without candles, to ask a controller which it needs."""

    resolution: str
    shift: int
    feeds: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    trading_rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    warmup: bool = False
    delay: int = 0


def _class_of(module: ModuleType, base: type, too_general: tuple[type, ...]) -> Any:
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


def _guarded[T](work: Callable[[], T], root: Path, what: str) -> T:
    """Run an import; whatever it raises becomes one line with the user's file and line."""
    try:
        return work()
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError) and error.filename:
            file, line, text = error.filename, error.lineno or 0, f"{type(error).__name__}: {error.msg}"
        else:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _below(frame.filename, root)]
            file, line = (frames[-1].filename, frames[-1].lineno or 0) if frames else (what, 0)
            text = f"{type(error).__name__}: {error}"
        where = f"{PACKAGE}/{Path(file).relative_to(root).as_posix()}" if _below(file, root) else file
        raise ControllerError(f"{where}, line {line}: raises on import: {' '.join(text.split())}") from error


def _below(file: str, root: Path) -> bool:
    return Path(file).is_relative_to(root)


def _not_found(root: Path, controller_type: str, name: str) -> str:
    there = sorted(
        path.relative_to(root).with_suffix("").as_posix() for path in root.glob("*/*.py") if path.stem != "__init__"
    )
    near = [known for known in there if known.rpartition("/")[2] == name] or nearest_few(
        f"{controller_type}/{name}", there, 1, cutoff=0.0
    )
    hint = f"the nearest there is {near[0]}" if near else "the folder holds no controller"
    return f"{PACKAGE}/{controller_type}/{name}.py: no such controller; {hint}"


def _culprit(config_class: Any, values: Mapping[str, Any], error: Exception) -> str:
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


def _reason(detail: Any, config_class: Any) -> str:
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
