"""The verdict on a sweep: one word, one sentence, and the figures behind them.

luck       the best point is what the best of as many worthless points looks like
weak       better than that, but not by enough
evidence   luck alone hardly gives as much, and nothing that was tested contradicts it
untested   too few returns or trades to say anything, or the controller saw the future

The rules and their reasons: docs/trust/verdict.md. The numbers below are calibrated (benchmarks/calibrate.py): on
markets without any edge "evidence" comes in at most 5 % of sweeps.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.analysis.other_parts import NO_PARTS, OtherParts, percent
from orchestrator.analysis.trust import MIN_ACTIVE, Figures
from tasks.intervals import interval_of
from tasks.metrics.inputs import MIN_RETURNS
from tasks.named_types import JsonObject

#: The best point's p-value: evidence at most this, luck above that.
EVIDENCE_P = 0.02
LUCK_P = 0.20
#: PBO from which the choice of the point, not the strategy, is called luck.
PBO_CHANCE = 0.5


class Verdict(StrEnum):
    """See the module."""

    LUCK = "luck"
    WEAK = "weak"
    EVIDENCE = "evidence"
    UNTESTED = "untested"


def judge(found: Figures | None, parts: OtherParts = NO_PARTS, *, ranked: bool = True) -> tuple[Verdict, str]:
    """The word and the sentence. `ranked`: whether any point has a rank."""
    if parts.sees_future:
        return Verdict.UNTESTED, (
            "The audit found that the controller uses candles that had not happened yet, so its results mean nothing: "
            "mend that first (hummingsweep audit)."
        )
    reason = _untested(found) if found is not None or ranked else "No point is ranked, so there is nothing to judge."
    if found is None or found.best is None or reason:
        return Verdict.UNTESTED, reason
    against, doubts = parts.objections(), parts.doubts()
    p = found.best.p
    if found.best.sharpe <= 0 or p > LUCK_P or against:
        word = Verdict.LUCK
    elif p * parts.looks <= EVIDENCE_P and not doubts:
        word = Verdict.EVIDENCE
    else:
        word = Verdict.WEAK
    sentences = [
        _headline(found, word),
        *against,
        *doubts,
        *parts.held_out(),
        *_looks(word, p, parts.looks),
        *_choice(found, word),
    ]
    return word, " ".join([*sentences, parts.not_tested()]).strip()


def document(found: Figures | None, parts: OtherParts = NO_PARTS, *, ranked: bool = True) -> JsonObject:
    """What `run --json`, `report` and `serve` carry under "trust"; what was not asked for or cannot be computed is
    None."""
    word, sentence = judge(found, parts, ranked=ranked)
    return {
        "verdict": word.value,
        "sentence": sentence,
        "returns": None if found is None else {"interval": interval_of(found.interval_s), "periods": found.periods},
        "trials": None if found is None or found.trials is None else found.trials.raw,
        "effective_trials": None
        if found is None or found.trials is None
        else {"rank": _short(found.trials.rank), "participation": _short(found.trials.participation)},
        "sharpe": _sharpe(found),
        "pbo": _pbo(found),
        "spa": _spa(found),
        "noise_worlds": parts.noise_worlds,
        "out_of_sample": parts.out_of_sample,
        "live": parts.live,
        "audit": parts.audit,
        "notes": [] if found is None else found.notes,
    }


# the rules


def _untested(found: Figures | None) -> str:
    """Why nothing can be said; empty where something can."""
    if found is None:
        return (
            "No returns are stored for this sweep, so nothing can be said about luck: run it again with this version."
        )
    if found.best is None:
        return f"Nothing can be judged: {found.notes[-1] if found.notes else 'no point is ranked'}."
    if found.periods < MIN_RETURNS:
        return (
            f"{found.periods} returns of {interval_of(found.interval_s)} are too few to tell skill from luck"
            f"{_days_needed(found)}."
        )
    if found.best.active < MIN_ACTIVE:
        return (
            f"The account of the best point moved in {found.best.active} of {found.periods} periods only: too few "
            f"trades to tell skill from luck (at least {MIN_ACTIVE}); use a longer period."
        )
    return ""


def _days_needed(found: Figures) -> str:
    assert found.best is not None
    least = MIN_RETURNS * found.interval_s
    record = found.best.min_track_record
    if record is None:
        return f": it takes at least {_long(least)}"
    return (
        f": it takes at least {_long(least)}, and {_long(max(record * found.interval_s, least))} until a record like "
        "the best point's is above 0 with 95 % confidence, even if it had been the only one tried"
    )


def _long(seconds: float) -> str:
    """A length of time in days, below two of them in hours."""
    return f"{seconds / 86400:.1f} days" if seconds >= 2 * 86400 else f"{seconds / 3600:.1f} hours"


# the sentences


def _headline(found: Figures, word: Verdict) -> str:
    assert found.best is not None
    assert found.family is not None
    assert found.trials is not None
    digits = 1 if found.is_annual else 2

    def ratio(per_period: float) -> str:
        return f"{found.shown(per_period) or 0.0:.{digits}f}"

    span = f"{found.days:.0f} days" if found.days >= 2 else f"{found.days * 24:.0f} hours"
    if not found.is_annual:
        span += ", too short to annualise"
    low, high = map(ratio, found.best.bootstrap.sharpe)
    only_one = found.trials.raw == 1
    tried = "The one point tried" if only_one else f"The best of {found.trials.raw:,} points"
    worthless = "a point" if only_one else "the best of as many points"
    start = (
        f"{tried} has a Sharpe ratio of {ratio(found.best.sharpe)} {found.unit} over {span} "
        f"(its own 90 % range: {low} to {high})"
    )
    if found.best.sharpe <= 0:
        return f"{start}: it lost, so there is nothing to trade."
    usual = (
        f"{worthless} without any skill has {ratio(float(found.family.by_luck.mean()))} on average, "
        f"and as much in {percent(found.best.p)} of cases"
    )
    return {
        Verdict.LUCK: f"{start}; {usual}: this is what luck looks like.",
        Verdict.WEAK: f"{start}; {usual}: better than usual luck, but no proof.",
        Verdict.EVIDENCE: f"{start}; {usual}: luck alone is an unlikely explanation.",
    }[word]


def _looks(word: Verdict, p: float, looks: int) -> list[str]:
    """That a hold-out which several sweeps have seen says less: whoever looks again may keep the sweep that passes."""
    if looks == 1 or word is Verdict.LUCK:
        return []
    text = f"The hold-out has been looked at {looks} times with this controller"
    if word is Verdict.WEAK and p <= EVIDENCE_P < p * looks:
        return [f"{text}: one of so many sweeps does as well in up to {percent(min(1.0, p * looks))} of cases."]
    return [f"{text}, so that it counts for less."]


def _choice(found: Figures, word: Verdict) -> list[str]:
    """What PBO adds where the strategy is not luck as a whole."""
    if word is Verdict.LUCK or found.overfitting is None or found.overfitting.value < PBO_CHANCE:
        return []
    return [
        f"Which point is best cannot be told (in {percent(found.overfitting.value)} of splits the chosen one was "
        "below the median afterwards): prefer one whose neighbours are good too."
    ]


# the parts of the document


def _sharpe(found: Figures | None) -> JsonObject | None:
    if found is None or found.best is None or found.family is None:
        return None
    best, family = found.best, found.family
    record = best.min_track_record
    interval = [found.shown(value) for value in best.bootstrap.sharpe]
    return {
        "per": "year" if found.is_annual else interval_of(found.interval_s),
        "best": _short(found.shown(best.sharpe)),
        "best_per_period": _short(best.sharpe),
        "interval": None if interval[0] is None else [_short(value) for value in interval],
        "expected_by_luck": _short(found.shown(float(family.by_luck.mean()))),
        "luck_95": _short(found.shown(float(family.by_luck[int(0.95 * family.draws)]))),
        "psr": _short(best.psr),
        "dsr": {name: _short(value) for name, value in best.dsr.items()},
        "dsr_version": "2014",
        "min_track_record": None
        if record is None
        else {"periods": round(record), "days": _short(record * found.interval_s / 86400)},
        "min_backtest_years": _short(found.min_backtest_years),
        "drawdown": [_short(value) for value in best.bootstrap.drawdown],
        "probability_of_loss": _short(best.bootstrap.probability_of_loss),
    }


def _pbo(found: Figures | None) -> JsonObject | None:
    if found is None or found.overfitting is None:
        return None
    over = found.overfitting
    return {
        "value": _short(over.value),
        "blocks": over.blocks,
        "slope": _short(over.slope),
        "probability_of_loss": _short(over.probability_of_loss),
        "ranked_by": over.measure.value,
    }


def _spa(found: Figures | None) -> JsonObject | None:
    if found is None or found.family is None:
        return None
    family = found.family
    count = found.discoveries
    return {
        "p": _short(family.consistent),
        "best_p": None if found.best is None else _short(found.best.p),
        "draws": family.draws,
        "survivors": len(family.survivors),
        "block": family.block_length,
        "above_zero": None
        if count is None
        else {"benjamini_hochberg": count.benjamini_hochberg, "benjamini_yekutieli": count.benjamini_yekutieli},
    }


def _short(value: float | None) -> float | None:
    """Six digits."""
    return None if value is None else float(f"{value:.6g}")
