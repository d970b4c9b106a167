"""Features computed once for the points that share them.

A grid over stop-losses computes the same indicators again and again. What a controller derives from its candles is a
function of the market and of those config fields that it reads while it is made and while `update_processed_data`
runs. Both are watched: a point whose config has the same values in those fields, on the same market, gets what the
other point derived, down to the last bit.

Not shared, because it could be seen: a controller that keeps state of its own in `update_processed_data`, changes its
config, the provider, settings of the process or what its modules and classes hold there, throws rng, reads its config
as a whole (`model_dump`), or derives what no copy stands for (tasks.engine.jump.copyable). The stock engine never
shares, so that `hummingsweep verify` compares both ways.

Watching is not believed alone: before a field counts as one that features do not depend on, points that differ in it
derive their features themselves PROOFS times, and what they derive must be the same.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import types
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from pydantic import BaseModel

from tasks.engine.candles import Candles
from tasks.engine.compare import same_data
from tasks.engine.jump.copyable import copyable
from tasks.engine.jump.locked import lock
from tasks.isolation.notes import Note, notes
from tasks.isolation.process_state import ProcessState
from tasks.isolation.seeding import RngState
from tasks.upstream.backtest.build import module_state

if TYPE_CHECKING:
    from tasks.engine._base import Market
    from tasks.upstream.names import ControllerBase

#: Bytes of features one child keeps: 25 columns over 30 days of 1m candles take 9 MB.
LIMIT = 64 << 20
#: Features larger than this (some 90 days of 1m candles) are computed for every point: the copy that is kept would take
#: more of a child's memory than a point may.
LARGEST = 24 << 20

#: How often points that differ in a field derive the same before it is believed that features do not depend on it.
PROOFS = 2

#: Bytes a row that `Candles` hold beside the features: times and growth.
_BESIDE = 16

#: What a controller has from its bases and what an engine replaces.
_NOT_STATE = frozenset({"config", "market_data_provider", "processed_data"})
_CONSTANT = (str, bytes, int, float, complex, Decimal, Enum, type, types.NoneType, types.ModuleType, logging.Logger)

#: Of those, what equals itself: looked for first, because nearly every value is one.
_PLAIN = frozenset({str, int, bool, types.NoneType})

#: A config's values by name.
Values = Mapping[str, Any]


class FieldAccessTracker:
    """The fields of a config that somebody reads inside `with reads:`; None once it was read as a whole."""

    def __init__(self, config: BaseModel) -> None:
        self._config = config
        self._class: Any = type(config)
        self.names: set[str] | None = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """For this one object its class is given ears; they are taken away again at the end."""
        owner, own = self._class, vars(self._class)
        if "__getattribute__" in own or "__setattr__" in own:
            self.names = None
        if self.names is None:
            yield
            return
        plain_get, plain_set = owner.__getattribute__, owner.__setattr__
        fields = owner.model_fields
        deaf = False

        def heard(this: Any, name: str) -> Any:
            if this is self._config and not deaf and self.names is not None:
                if name in fields:
                    self.names.add(name)
                elif not _of_users_code(owner, name) or name in object.__getattribute__(this, "__dict__"):
                    self.names = None  # the latter was laid there by a validator, from fields that nobody heard it read
            return plain_get(this, name)

        def assigned(this: Any, name: str, value: Any) -> None:
            # pydantic's way of assigning reads the whole object; what it leaves there is part of the key
            nonlocal deaf
            before, deaf = deaf, True
            try:
                plain_set(this, name, value)
            finally:
                deaf = before

        owner.__getattribute__, owner.__setattr__ = heard, assigned
        try:
            yield
        finally:
            del owner.__getattribute__, owner.__setattr__


@dataclass(frozen=True)
class _Kept:
    """What a point derived. Nobody else has its frame of features, and nobody can write to it."""

    data: Any
    candles: Candles
    size: int
    #: the config's values of the point that derived it
    config: Values
    #: what was to be said of that point meanwhile
    notes: tuple[Note, ...]

    def copied(self, *, writable: bool) -> tuple[Any, Candles]:
        """`processed_data` for another point, and its rows to step over."""
        candles = self.lent(writable=writable)
        return copy.deepcopy(self.data, {id(self.candles.frame): candles.frame}), candles

    def lent(self, *, writable: bool) -> Candles:
        """The features for a point: a frame of its own in all that can be changed.

        Its values are these, or copies where the point may write to them.
        """
        frame = self.candles.frame
        if writable or not all(isinstance(values, np.ndarray) for values in frame._mgr.arrays):
            lent = frame.copy()
            lent.index = frame.index.copy(deep=True)  # pandas copies all but its numbers
            return self.candles.again(lent)
        lent = frame.copy(deep=False)
        lent.index, lent.columns = frame.index.view(), frame.columns.view()  # they have names that can be changed
        return self.candles.again(lent)


class SharedFeatures:
    """What points of one market derived, newest last; at most LIMIT bytes. One thread, one market at a time."""

    def __init__(self, limit: int = LIMIT, largest: int = LARGEST, proofs: int = PROOFS) -> None:
        self._limit, self._largest, self._proofs = limit, largest, proofs
        self._market: Market | None = None
        self._kept: OrderedDict[Any, _Kept] = OrderedDict()
        self._names: dict[type, set[frozenset[str]]] = {}
        self._refused: set[type] = set()
        #: how often points that differ in a field derived the same, for a class and the fields it reads
        self._proven: dict[tuple[type, frozenset[str]], Counter[str]] = {}
        #: what the point under way could have been given, and the fields for which it is a proof
        self._on_trial: tuple[Any, _Kept, set[str]] | None = None
        self.hits = 0
        self.misses = 0

    def names(self) -> frozenset[str]:
        """Config fields that features were seen to depend on."""
        return frozenset(name for sets in self._names.values() for names in sets for name in names)

    def admits(self, controller_class: type, market: Market) -> bool:
        """Whether to watch a point of this class: False once it was seen to be unfit."""
        if market is not self._market:
            self._market = market
            self._kept.clear()
            self._names.clear()  # another sweep's controllers may read other fields
            self._proven.clear()
        return controller_class not in self._refused

    def give(self, controller: ControllerBase, before: Values, *, writable: bool) -> Candles | None:
        """Put another point's features into a controller that has made none yet; None when there are none.

        Returns the rows to step over, what `processed_data["features"]` holds now in arrays that no one writes to.
        `before`: the config's values from before the controller was made. `writable`: the controller may write to its
        features while it trades, and what it writes counts.
        """
        self._on_trial = None
        for names in self._names.get(type(controller), ()):
            key = _key(controller, names, before)
            if key is not None and key in self._kept:
                kept = self._kept[key]
                unproven = self._unproven(type(controller), names, kept, before)
                if unproven:
                    self._on_trial = (key, kept, unproven)
                if unproven or not module_state().unchanged():  # a validator may have left something there
                    break
                self._kept.move_to_end(key)
                controller.processed_data, candles = kept.copied(writable=writable)
                controller.market_data_provider.stepping = True
                notes.add(kept.notes)
                self.hits += 1
                return candles
        self.misses += 1
        return None

    def _unproven(self, kind: type, names: frozenset[str], kept: _Kept, before: Values) -> set[str]:
        """Fields in which a point differs from another whose features it would get, and nobody knows that they are
        the same."""
        proven = self._proven.setdefault((kind, names), Counter())
        return {
            name
            for name, value in before.items()
            if name not in names and proven[name] < self._proofs and not _equal(value, kept.config.get(name))
        }

    def keep(
        self, controller: ControllerBase, before: Values, reads: FieldAccessTracker, untouched: State, *, writable: bool
    ) -> Candles | None:
        """Keep what a controller derived, where nothing but its `processed_data` changed meanwhile.

        The controller gets a frame of features in place of its own, which is kept; the rows to step over are returned,
        as `give` does. None where nothing is kept.
        """
        kind, names = type(controller), frozenset(reads.names or ())
        fit = reads.names is not None and "id" not in names and untouched.same(controller)
        fit = fit and module_state().unchanged() and copyable(controller.processed_data)
        key = _key(controller, names, before) if fit else None
        if key is None or not self._stood_trial(key, names, controller):
            self._refuse(kind)
            return None
        frame = controller.processed_data["features"]
        size = _bytes(controller.processed_data) + _BESIDE * len(frame)
        candles = Candles(frame)
        if size > self._largest or candles.oddity:
            return None
        try:
            data = copy.deepcopy(controller.processed_data, {id(frame): frame})
            kept = _Kept(data, candles, size, before, notes.since(untouched.notes))
            lent = kept.lent(writable=writable)
        except Exception:  # what a controller lays there may be anything
            self._refuse(kind)
            return None
        candles.growth  # noqa: B018  computed once, for all that come
        lock(frame)
        controller.processed_data["features"] = lent.frame
        self._names.setdefault(kind, set()).add(names)
        self._kept[key] = kept
        while sum(kept.size for kept in self._kept.values()) > self._limit:
            self._kept.popitem(last=False)
        return lent

    def _stood_trial(self, key: Any, names: frozenset[str], controller: ControllerBase) -> bool:
        """Whether what a point derived is what it could have been given."""
        if self._on_trial is None or self._on_trial[0] != key:
            return True
        _, kept, unproven = self._on_trial
        self._proven[type(controller), names].update(unproven)
        return same_data(kept.data, controller.processed_data)

    def _refuse(self, kind: type) -> None:
        self._refused.add(kind)
        self._names.pop(kind, None)


class State:
    """What `update_processed_data` could leave behind besides `processed_data`, at one moment."""

    def __init__(self, controller: ControllerBase, rng: RngState) -> None:
        """`rng`: the state of the random generators when the run began."""
        self._process_state = ProcessState.now()
        self.notes = notes.taken()
        self._seen, self._dice = self._look(controller), rng

    def same(self, controller: ControllerBase) -> bool:
        """Whether all of it is as it was, and known to be, and no generator was seeded in this run."""
        seen = self._seen is not None and self._look(controller) == self._seen
        return seen and self._dice.lie() and self._process_state.decide_the_same()

    def _look(self, controller: ControllerBase) -> Any:
        provider = controller.market_data_provider
        look = _Look(controller)
        try:
            return (
                {name: look.at(value) for name, value in vars(controller).items() if name not in _NOT_STATE},
                look.at(dict(vars(controller.config))),
                provider.candles_feeds.held(),
                {name: id(value) for name, value in vars(provider).items() if name not in _CHANGES},
                look.at([provider._time, provider.prices, provider._rates]),
                look.at(provider.connectors.settings()),
                id(controller.config), id(provider),
            )  # fmt: skip
        except _Opaque:
            return None


#: Of a provider: what is looked at by value, and what the engine sets.
_CHANGES = frozenset({"_time", "stepping", "prices", "_rates"})


class _Opaque(Exception):
    """A value that cannot be compared with its own past."""


class _Look:
    """Copies of values that equal later ones only when nothing in them changed."""

    def __init__(self, controller: ControllerBase) -> None:
        self._controller = controller
        self._functions: set[int] = set()

    def at(self, value: Any) -> Any:
        """The copy. Raises _Opaque."""
        if type(value) in _PLAIN:
            return type(value), value
        if isinstance(value, _CONSTANT):
            return type(value), value if value == value else repr(value)  # NaN
        if isinstance(value, list | tuple | deque):
            return type(value), [self.at(one) for one in value]
        if isinstance(value, dict):
            return type(value), [(self.at(key), self.at(one)) for key, one in value.items()]
        if isinstance(value, set | frozenset):
            return type(value), frozenset(value) if all(isinstance(one, _CONSTANT) for one in value) else _opaque()
        if isinstance(value, BaseModel):
            return type(value), self.at(dict(vars(value)))
        if isinstance(value, np.ndarray | np.generic | pd.DataFrame | pd.Series | pd.Index):
            return type(value), pickle.dumps(value)
        if isinstance(value, asyncio.Event):
            return type(value), value.is_set()
        if isinstance(value, asyncio.Queue):
            return type(value), [self.at(one) for one in value._queue]  # type: ignore[attr-defined]  # not public
        return self._code(value)

    def _code(self, value: Any) -> Any:
        """Of something that can be called: what it would find when it is."""
        if isinstance(value, types.MethodType) and value.__self__ is self._controller:
            return id(value), value.__func__
        if isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType | None):
            return type(value), value
        if not isinstance(value, types.FunctionType):
            return _opaque()
        if id(value) in self._functions:
            return id(value)
        self._functions.add(id(value))
        enclosed = [
            cell.cell_contents for cell in value.__closure__ or () if cell.cell_contents is not self._controller
        ]
        return id(value), self.at(enclosed), self.at(value.__defaults__), self.at(value.__kwdefaults__)


def _opaque() -> Any:
    raise _Opaque


def _equal(one: Any, other: Any) -> bool:
    with suppress(Exception):  # a config may hold anything
        return one is other or (type(one) is type(other) and bool(one == other))
    return False


def _key(controller: ControllerBase, names: frozenset[str], before: Values) -> Any:
    """What features depend on, as bytes: 1, 1.0 and True differ. None where a value cannot be stored."""
    now, provider = vars(controller.config), controller.market_data_provider
    with suppress(Exception):  # a config may hold anything
        values = [(name, pickle.dumps(before[name]), pickle.dumps(now[name])) for name in sorted(names)]
        return (type(controller), provider.shift, tuple(sorted(provider._records.items())), tuple(values))
    return None


def _of_users_code(owner: type, name: str) -> bool:
    """An attribute whose code, if any, reads the fields one by one: written by a user or upstream, not pydantic's."""
    for base in owner.__mro__:
        if name in vars(base):
            return name == "__class__" or not base.__module__.startswith(("pydantic", "builtins"))
    fields = cast("Any", owner)
    return name not in fields.__private_attributes__ and fields.model_config.get("extra") != "allow"


def _bytes(value: Any) -> int:
    if isinstance(value, pd.DataFrame):
        return 8 * int(value.size)  # pandas' own count takes a millisecond
    if isinstance(value, pd.Series | np.ndarray | pd.Index):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(map(_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return 100
