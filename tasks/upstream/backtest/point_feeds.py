"""The feeds of one point, as its controller may see them: what `candles_feeds` of its data provider is.

With shift 0 and no warm-up the frames are the market's, whole and raw, as the stock engine's. Otherwise each is the
frame that `get_candles_df` gives: from the warm-up before the period on, stamped and, while the engine steps, cut as
the provider says. So a controller sees the same candles whichever way it asks.

Who takes a frame out of here may do with it what he likes: it is his own copy from then on.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class PointFeeds(dict[str, "pd.DataFrame"]):
    """Feed -> candles, copied when they are taken."""

    def __init__(
        self,
        feeds: Mapping[str, pd.DataFrame],
        as_they_are: Callable[[], bool],
        served: Callable[[str], pd.DataFrame],
        visible: Callable[[pd.DataFrame], pd.DataFrame],
    ):
        """`feeds`: of the market. `as_they_are`: whether a controller gets copies of them; where not, `served` gives
        its frame, up to the period's end, and `visible` what of such a frame may be seen now (a view)."""
        super().__init__(feeds)
        self._market = feeds
        self._as_they_are, self._served, self._visible = as_they_are, served, visible
        #: feeds that were taken, and those that the controller has put in itself
        self._copied: set[str] = set()
        self._put_in: set[str] = set()

    def held(self) -> dict[str, int]:
        """Feed -> what stands for its content: the same number while it is the market's, also in a copy."""
        held = {}
        for key, feed in super().items():
            theirs = self._market.get(key)
            unchanged = feed is theirs
            if not unchanged and theirs is not None:
                unchanged = feed.equals(theirs if self._as_they_are() else self._served(key))
            held[key] = id(theirs if unchanged else feed)
        return held

    def raw(self, key: str) -> pd.DataFrame:
        """A feed to be read only, not stamped and not cut: the market's, or what the controller made of it where it
        has the market's as they are. Raises KeyError."""
        if key in self._market and not self._as_they_are():
            return self._market[key]
        return super().__getitem__(key)

    def is_put_in(self, key: str) -> bool:
        """Whether the controller has put its own frame here."""
        return key in self._put_in

    def forget_taken(self) -> None:
        """How far frames reach back has changed: those that were taken are made anew."""
        for key in self._copied - self._put_in:
            super().__setitem__(key, self._market[key])
        self._copied = set(self._put_in)

    def __getitem__(self, key: str) -> pd.DataFrame:
        if key not in self._copied:
            as_it_is = key not in self._market or self._as_they_are()
            super().__setitem__(key, super().__getitem__(key).copy() if as_it_is else self._served(key))
            self._copied.add(key)
        return self._visible(super().__getitem__(key))

    def __setitem__(self, key: str, feed: pd.DataFrame) -> None:
        self._copied.add(key)
        self._put_in.add(key)
        super().__setitem__(key, feed)

    def get(self, key: str, default: Any = None) -> Any:
        """As by index, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def pop(self, key: str, *default: Any) -> Any:
        """Take a frame out."""
        if key not in self:
            return super().pop(key, *default)
        taken = self[key]
        super().pop(key)
        return taken

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As by index; what was not there is put in."""
        if key not in self:
            self[key] = default
        return self[key]

    def __iter__(self) -> Iterator[str]:
        """Its own, so that `dict(feeds)` and `{**feeds}` take every frame by its name."""
        return super().__iter__()

    def __or__(self, other: Any) -> Any:
        return self.copy() | dict(other)

    def items(self) -> ItemsView[str, pd.DataFrame]:  # type: ignore[override]  # a view of a copy
        """All frames, each as by index."""
        return self.copy().items()

    def values(self) -> ValuesView[pd.DataFrame]:  # type: ignore[override]  # a view of a copy
        """All frames, each as by index."""
        return self.copy().values()

    def copy(self) -> dict[str, pd.DataFrame]:
        """All frames, each as by index, in a plain dict."""
        return {key: self[key] for key in self}
