"""What was tested of a sweep beside its own returns, and what each test has to say against the best point.

noise_worlds    the sweep again on shuffled candles
out_of_sample   walk-forward and hold-out
live            the best points as the bot calls them
audit           whether the controller sees the future

A test can object (then the best point is luck), doubt (then it is no evidence), or say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.named_types import JsonObject

#: Worlds of permuted candles below which their p-value can neither confirm nor refute.
MIN_WORLDS = 19
#: Their p-value: evidence at most the one, luck above the other.
NOISE_EVIDENCE_P = 0.05
NOISE_LUCK_P = 0.20
#: Share of the back-test's gain that the live replay must keep.
LIVE_KEPT = 0.5
#: What the audit's state is where a decision changed with the future.
LOOK_AHEAD = "look_ahead"


@dataclass(frozen=True)
class OtherParts:
    """The tests, as they stand in the document; None: was not done. Ratios are annual, returns are fractions."""

    #: {"worlds": 99, "p": 0.04}
    noise_worlds: JsonObject | None = None
    #: {"folds": 8, "efficiency": 0.4, "sharpe": 0.6, "return": 0.05,
    #:  "holdout": {"sharpe": 0.2, "return": 0.01, "looks": 1}}
    out_of_sample: JsonObject | None = None
    #: {"points": 3, "trades_same": 0.93, "pnl": 0.041, "backtest_pnl": 0.052}
    live: JsonObject | None = None
    #: {"verdict": "clean"}
    audit: JsonObject | None = None

    @property
    def sees_future(self) -> bool:
        """Whether the audit found look-ahead."""
        return (self.audit or {}).get("verdict") == LOOK_AHEAD

    @property
    def looks(self) -> int:
        """Sweeps of this controller that have seen the hold-out, this one among them; 1 without a hold-out."""
        return max(1, int(((self.out_of_sample or {}).get("holdout") or {}).get("looks") or 1))

    def objections(self) -> list[str]:
        """What makes the best point luck, each a sentence."""
        p = self._noise_p
        return [self._noise_sentence] if p is not None and p > NOISE_LUCK_P else []

    def doubts(self) -> list[str]:
        """What keeps the best point from being evidence, each a sentence."""
        p = self._noise_p
        found = [self._noise_sentence] if p is not None and NOISE_EVIDENCE_P < p <= NOISE_LUCK_P else []
        outside = self.out_of_sample or {}
        tests, holdout = _gain(outside), _gain(outside.get("holdout") or {})
        if tests is not None and tests <= 0:
            did = "lost" if tests < 0 else "earned nothing"
            found.append(f"On the test windows that the choice had not seen, the chosen points {did}.")
        if holdout is not None and holdout <= 0:
            found.append(f"On the hold-out it {'lost' if holdout < 0 else 'earned nothing'}.")
        return [*found, *self._live_doubt()]

    def held_out(self) -> list[str]:
        """That the hold-out does not contradict the best point, a sentence; empty without one, or where it does."""
        holdout = (self.out_of_sample or {}).get("holdout") or {}
        gain, earned = _gain(holdout), holdout.get("return")
        if gain is None or gain <= 0 or earned is None:
            return []
        return [f"On the hold-out, which no choice had seen, it earned {percent(earned)}."]

    def not_tested(self) -> str:
        """What was left out, in one sentence; empty where all was done."""
        missing = [
            name
            for name, part in (
                ("sweeps on shuffled candles", self.noise_worlds),
                ("data the choice had not seen", self._was_held_back),
                ("a live replay", self.live),
                ("the look-ahead audit", self.audit),
            )
            if not part
        ]
        return f"Not tested: {', '.join(missing)}." if missing else ""

    @property
    def _was_held_back(self) -> bool:
        """Whether unseen data said anything: a walk-forward without a chosen point did not."""
        outside = self.out_of_sample or {}
        return any(_gain(each) is not None for each in (outside, outside.get("holdout") or {}))

    @property
    def _noise_p(self) -> float | None:
        """The worlds' p-value; None where there are too few of them to count."""
        noise = self.noise_worlds
        return noise.get("p") if noise and noise["worlds"] >= MIN_WORLDS else None

    @property
    def _noise_sentence(self) -> str:
        assert self.noise_worlds is not None
        worlds = self.noise_worlds["worlds"]
        as_good = round(self.noise_worlds["p"] * (worlds + 1)) - 1
        return f"{as_good} of {worlds} sweeps on shuffled candles did as well or better."

    def _live_doubt(self) -> list[str]:
        live = self.live or {}
        replayed, expected = live.get("pnl"), live.get("backtest_pnl")
        if replayed is None or expected is None or expected <= 0 or replayed >= LIVE_KEPT * expected:
            return []
        text = f"it earns {percent(replayed)} where the back-test has {percent(expected)}"
        return [f"Called as the bot calls it, {text}."]


NO_PARTS = OtherParts()


def _gain(figures: JsonObject) -> float | None:
    """The Sharpe ratio of unseen data; its return where the returns are too few for a ratio."""
    ratio, earned = figures.get("sharpe"), figures.get("return")
    return ratio if ratio is not None else earned


def percent(share: float) -> str:
    """A fraction in words: with a digit after the point where it is small."""
    if 0 < abs(share) < 0.02:
        return f"{share:.1%}"
    return f"{share:.0%}"
