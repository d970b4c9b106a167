"""The clock that a controller asks: the back-test's time in place of the wall clock.

A controller that stamps its executors with `time.time()`, or trades by `datetime.utcnow().hour`, would get the moment
at which the back-test happens to run. Inside `simulated` it gets the time of the candle instead.

    time        time, monotonic, perf_counter and their _ns forms; localtime, gmtime, ctime, asctime, strftime when they
                are given no time
    datetime    datetime.now, utcnow, today and date.today
    pandas      Timestamp.now, utcnow, today; Period.now
    the words   numpy.datetime64("now"), pandas.Timestamp("now"), pandas.to_datetime("now"): see clock_words

The process's own clock stays as it is: asyncio, deadlines and the broker need it. So nothing in the modules `time` and
`datetime` is replaced. The modules of a controllers folder import substitutes for them (`give_clock`), whichever way
and wherever they import; pandas, which has one class for all, looks at who asks.

Not simulated: `time.sleep`, and what a package beside the controllers does with its own `import time`.

Outside `simulated` the substitutes give the wall clock, and the row says so (tasks.isolation.notes).
"""

from __future__ import annotations

import builtins
import datetime as _datetime
import sys
import time as _time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

from tasks.isolation.after_import import after_import
from tasks.isolation.callers import is_users_frame
from tasks.isolation.notes import notes

#: What a row says of a controller that was given the wall clock.
ASKED_WALL_CLOCK = (
    "the controller asked the wall clock (time.time, datetime.now or the like), which the stock engine does not "
    "simulate: what it derives from it is not of the back-test's time"
)


class HasTime(Protocol):
    """Knows the simulated time: the data provider of a back-test."""

    def time(self) -> float:
        """Seconds since epoch."""
        ...


class Clock:
    """The process's one clock for controllers."""

    def __init__(self) -> None:
        self.is_simulated = False
        #: how often it was asked
        self.reads = 0
        self._start = 0.0
        self._source: HasTime | None = None

    @contextmanager
    def simulated(self, start: float) -> Iterator[None]:
        """Inside, controllers get `start` (seconds since epoch) until a provider is followed, and its time then."""
        before = self.is_simulated, self._start, self._source
        self.is_simulated, self._start, self._source = True, start, None
        try:
            yield
        finally:
            self.is_simulated, self._start, self._source = before

    def follow(self, source: HasTime) -> None:
        """From now on the simulated time is that of `source`: of the back-test that was begun last."""
        if self.is_simulated:
            self._source = source

    def rewind(self) -> None:
        """The simulated time is the start again: another back-test begins."""
        self._source = None

    def seconds(self) -> float:
        """What a controller gets, seconds since epoch."""
        self.reads += 1
        if not self.is_simulated:
            notes.warn(ASKED_WALL_CLOCK)
            return _time.time()
        return self._start if self._source is None else float(self._source.time())

    def counter(self, own: Callable[[], float]) -> float:
        """For clocks without a zero of their own: the simulated seconds, or what `own` says."""
        if not self.is_simulated:
            notes.warn(ASKED_WALL_CLOCK)
            return own()
        return self.seconds()


clock = Clock()


def give_clock(namespace: dict[str, Any], **more: Any) -> None:
    """Make a module that is about to run import the substitutes where it says `time` and `datetime`.

    `namespace`: of the module. `more`: further builtins that it is to have. Its builtins become a copy with another
    `__import__`, which every import statement in the module uses, also those inside its functions.
    """
    _BUILTINS.update(more)
    namespace["__builtins__"] = _BUILTINS


def use_clock(module: Any) -> None:
    """The same for a module that has run already and holds `time` under this name."""
    if getattr(module, "time", None) is _time:
        module.time = _TIME


def install() -> None:
    """Make pandas' Timestamp ask this clock for user code; once per process."""
    after_import("pandas", _patch_pandas)


def _import(
    name: str,
    namespace: Mapping[str, object] | None = None,
    local_names: Mapping[str, object] | None = None,
    names: Any = (),
    level: int = 0,
) -> Any:
    module = builtins.__import__(name, namespace, local_names, names, level)
    if level == 0 and name in _STAND_INS:
        return _STAND_INS[name]
    return module


def _time_module() -> ModuleType:
    stand_in = ModuleType("time", _time.__doc__)
    vars(stand_in).update({name: value for name, value in vars(_time).items() if not name.startswith("__")})

    def given(function: Callable[..., Any], place: int) -> Callable[..., Any]:
        """A function whose argument at `place` is the current time where it is left out or None."""

        def asked(*arguments: Any) -> Any:
            if len(arguments) <= place or arguments[place] is None:
                arguments = (*arguments[:place], clock.seconds())
            return function(*arguments)

        return asked

    vars(stand_in).update(
        time=clock.seconds,
        time_ns=lambda: int(clock.seconds() * 1e9),
        # looked up when they are asked: a run that is compared with another may hold the wall clock
        monotonic=lambda: clock.counter(_time.monotonic),
        monotonic_ns=lambda: int(clock.counter(_time.monotonic) * 1e9),
        perf_counter=lambda: clock.counter(_time.perf_counter),
        perf_counter_ns=lambda: int(clock.counter(_time.perf_counter) * 1e9),
        localtime=given(_time.localtime, 0),
        gmtime=given(_time.gmtime, 0),
        ctime=given(_time.ctime, 0),
        strftime=lambda form, *moment: _time.strftime(form, *(moment or (_time.localtime(clock.seconds()),))),
        asctime=lambda *moment: _time.asctime(*(moment or (_time.localtime(clock.seconds()),))),
    )
    return stand_in


class _AsReal(type):
    """Of a class that stands in for another and is never instantiated itself: what it makes are the real one's."""

    real: type

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "real" in vars(cls):
            return cls.real(*args, **kwargs)
        return super().__call__(*args, **kwargs)  # a subclass that a controller made of it

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.real) if "real" in vars(cls) else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.real) if "real" in vars(cls) else super().__subclasscheck__(subclass)


class _PlainField:
    """A class that pydantic treats as the real one, in the annotations of a config."""

    real: type

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(cls.real)


class SimulatedDate(_PlainField, _datetime.date, metaclass=_AsReal):
    """`datetime.date` for controllers."""

    real = _datetime.date

    @classmethod
    def today(cls) -> Any:
        """Of the back-test, in local time (UTC in a child)."""
        return cls.fromtimestamp(clock.seconds())


class SimulatedDatetime(_PlainField, _datetime.datetime, metaclass=_AsReal):
    """`datetime.datetime` for controllers."""

    real = _datetime.datetime

    @classmethod
    def now(cls, tz: _datetime.tzinfo | None = None) -> Any:
        """The back-test's moment."""
        return cls.fromtimestamp(clock.seconds(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        """The back-test's moment in UTC, without a zone."""
        return cls.fromtimestamp(clock.seconds(), _datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        """Of the back-test, in local time (UTC in a child)."""
        return cls.fromtimestamp(clock.seconds())


def _datetime_module() -> ModuleType:
    stand_in = ModuleType("datetime", _datetime.__doc__)
    vars(stand_in).update({name: value for name, value in vars(_datetime).items() if not name.startswith("__")})
    vars(stand_in).update(date=SimulatedDate, datetime=SimulatedDatetime)
    return stand_in


_TIME = _time_module()
_STAND_INS = {"time": _TIME, "datetime": _datetime_module()}
_BUILTINS = {**vars(builtins), "__import__": _import}


def _patch_pandas(pandas: Any) -> None:
    """Let user code that asks Timestamp for the current time ask `clock`."""
    kind = pandas.Timestamp
    own_now, own_today, own_utcnow = kind.now, kind.today, kind.utcnow

    def current(tz: Any) -> Any:
        moment = kind(clock.seconds(), unit="s", tz="UTC")
        return moment.tz_convert(tz)  # to None: without a zone, as the children's own zone is UTC

    def now(cls: Any, tz: Any = None) -> Any:
        return current(tz) if is_users_frame(sys._getframe(1)) else own_now(tz)

    def today(cls: Any, tz: Any = None) -> Any:
        return current(tz) if is_users_frame(sys._getframe(1)) else own_today(tz)

    def utcnow(cls: Any) -> Any:
        return current("UTC") if is_users_frame(sys._getframe(1)) else own_utcnow()

    kind.now, kind.today, kind.utcnow = classmethod(now), classmethod(today), classmethod(utcnow)
    period = pandas.Period
    own_period_now = period.now

    def period_now(cls: Any, freq: Any) -> Any:
        return cls(current(None), freq=freq) if is_users_frame(sys._getframe(1)) else own_period_now(freq)

    period.now = classmethod(period_now)
