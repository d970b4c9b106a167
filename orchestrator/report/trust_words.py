"""The verdict's part of the page in words: headline, captions, and the table of figures with a sentence each."""

from __future__ import annotations

from types import SimpleNamespace

from orchestrator.analysis.judgement import Judgement
from orchestrator.analysis.trust import Figures
from tasks.named_types import JsonObject

#: How a verdict looks: the classes of the page's checks.
LEVELS = {"evidence": "good", "weak": "warn", "luck": "bad", "untested": "warn"}
#: What a verdict advises.
ADVICE = {
    "luck": "Do not trade this. A wider grid only finds better luck; a longer period or another idea may find more.",
    "weak": "Not enough to trade on. Try it on shuffled candles (hummingsweep noise) and on a period it has not seen.",
    "evidence": "Worth the next test: a period it has not seen, then small money.",
    "untested": "Nothing can be said about luck yet.",
}


def section(judged: Judgement, charts: JsonObject, noise: JsonObject | None) -> SimpleNamespace:
    """What the template shows."""
    document = judged.document
    return SimpleNamespace(
        verdict=document["verdict"],
        level=LEVELS[document["verdict"]],
        sentence=document["sentence"],
        advice=ADVICE[document["verdict"]],
        notes=document["notes"],
        figures=[
            SimpleNamespace(chart=f"trust_{name}", title=title, caption=caption)
            for name, title, caption in (
                ("sharpe", "The best point against luck", _sharpe_caption(document)),
                ("splits", "Chosen on one half, tested on the other", _splits_caption(document)),
                ("noise", "The same sweep on shuffled candles", _noise_caption(noise)),
                ("fan", "How the best point could have gone", _fan_caption(document)),
            )
            if charts.get(name)
        ],
        rows=[] if judged.figures is None else list(_rows(document, judged.figures)),
    )


def _sharpe_caption(document: JsonObject) -> str:
    sharpe, spa = document["sharpe"], document["spa"]
    if not sharpe or sharpe["best"] is None:
        return ""
    digits = 1 if sharpe["per"] == "year" else 2
    return (
        f"Grey: the points of this sweep. Coloured: the best of as many points that trade alike but have no skill, "
        f"drawn {spa['draws']:,} times. Where the best point stands inside the coloured hill, luck explains it; it "
        f"stands at {sharpe['best']:.{digits}f}, the hill's middle at {sharpe['expected_by_luck']:.{digits}f}, and "
        f"luck passes {sharpe['luck_95']:.{digits}f} in one sweep of twenty."
    )


def _splits_caption(document: JsonObject) -> str:
    pbo = document["pbo"]
    if not pbo:
        return ""
    return (
        f"The period is cut into {pbo['blocks']} pieces. On every choice of half of them the best point is picked, and "
        f"each dot shows how it did there (right: better) and on the other half (up: better). Red: it lost on the "
        f"other half ({pbo['probability_of_loss']:.0%}). A line that falls means: the better it "
        "looked, the worse it went on."
    )


def _noise_caption(noise: JsonObject | None) -> str:
    if not noise or noise.get("p") is None:
        return ""
    as_good = round(noise["p"] * (noise["worlds"] + 1)) - 1
    return (
        "Each bar counts markets made of the same candles in another order, in which nothing can be foreseen; it "
        f"stands where the best of {noise['points']:,} points came out there. The real best is the line: {as_good:,} "
        f"of {noise['worlds']:,} such markets did as well or better (p {noise['p']:.2g})."
    )


def _fan_caption(document: JsonObject) -> str:
    sharpe = document["sharpe"]
    if not sharpe:
        return ""
    low, high = sharpe["drawdown"]
    return (
        "The best point's own returns drawn again in another order: half of the draws stay in the dark band, 90 % in "
        f"the light one. In {sharpe['probability_of_loss']:.0%} of them it ends below its start; the deepest fall is "
        f"between {-high:.0%} and {-low:.0%} in 90 %. It has been chosen as the best, so the "
        "future is likely worse than this."
    )


def _rows(document: JsonObject, found: Figures) -> list[SimpleNamespace]:
    """Name, value, sentence and formula of every figure that there is."""
    rows = [
        _row(
            "Returns",
            f"{found.periods} of {document['returns']['interval']}",
            f"The account of every point, marked at equal intervals over {found.days:.0f} days.",
            "One day where the period has 90 days, otherwise the longest interval that gives 90 returns.",
        )
    ]
    if document["effective_trials"] and document["trials"]:
        rank, share = document["effective_trials"]["rank"], document["effective_trials"]["participation"]
        rows.append(
            _row(
                "Trials",
                f"{document['trials']:,}",
                f"Points that traded. Many trade alike: they are worth {rank:.0f} (or {share:.0f}) independent ones.",
                "exp(-Σ p ln p) and (Σ λ)² / Σ λ² of the eigenvalues λ of the correlation of the points' returns.",
            )
        )
    return rows + _sharpe_rows(document) + _family_rows(document) + _split_rows(document)


def _sharpe_rows(document: JsonObject) -> list[SimpleNamespace]:
    sharpe = document["sharpe"]
    if not sharpe or sharpe["best"] is None:
        return []
    low, high = sharpe["interval"]
    unit = "a year" if sharpe["per"] == "year" else f"per {sharpe['per']}"
    dsr = sharpe["dsr"]
    rows = [
        _row(
            "Sharpe ratio of the best",
            f"{sharpe['best']:.2f} {unit}",
            f"Its own range is {low:.1f} to {high:.1f} (90 %), taken alone.",
            "Mean over standard deviation of the returns, times the root of the periods of a year where the period has "
            "seven days at least; block bootstrap.",
        ),
        _row(
            "Luck's best",
            f"{sharpe['expected_by_luck']:.2f} {unit}",
            f"What the best of as many worthless points has on average; in 1 of 20 sweeps {sharpe['luck_95']:.2f}.",
            "Mean and 95 % quantile of max (SR* - SR) over the draws of a stationary bootstrap.",
        ),
        _row(
            "PSR",
            f"{sharpe['psr']:.1%}",
            "Chance that the best point is above 0, had it been the only one tried. It was not.",
            "Φ((SR - 0) √(T-1) / √(1 - γ₃ SR + (γ₄-1)/4 SR²)), Bailey and López de Prado 2012.",
        ),
        _row(
            "Deflated Sharpe ratio",
            " / ".join(f"{dsr[name]:.0%}" for name in ("raw", "rank", "participation")),
            "The same chance after the search, for three counts of trials: all, and the two that treat points that "
            "trade alike as one. The truth lies between.",
            "PSR against √V · E[max of N], Bailey and López de Prado 2014 (a revision of 2026 gives other values).",
        ),
    ]
    record = sharpe["min_track_record"]
    if record:
        rows.append(
            _row(
                "Track record needed",
                _days(record["days"]),
                "How long a record like this must be to be above 0 with 95 %, had it been the only one tried.",
                "1 + (1 - γ₃ SR + (γ₄-1)/4 SR²) (Z / SR)² periods (MinTRL).",
            )
        )
    if sharpe["min_backtest_years"] is not None:
        rows.append(
            _row(
                "Data that so many trials need",
                f"{sharpe['min_backtest_years']:.2f} years",
                "On less, this ratio is what the best of as many independent worthless points shows.",
                "(E[max of N] / SR)² years (MinBTL).",
            )
        )
    return rows


def _family_rows(document: JsonObject) -> list[SimpleNamespace]:
    spa = document["spa"]
    if not spa:
        return []
    above = spa["above_zero"] or {}
    best = "" if spa["best_p"] is None else f"{spa['best_p']:.2g}"
    return [
        _row(
            "Chance of so good a best by luck",
            best,
            "How often the best of as many worthless points is as good as the best-ranked one. This decides the "
            "verdict.",
            f"Hansen's SPA on Sharpe ratios, {spa['draws']:,} draws in blocks of some {spa['block']:.0f} returns.",
        ),
        _row(
            "Points above luck",
            f"{spa['survivors']:,}",
            "Points that stand above 0 with 95 % certainty that none of them does so by luck.",
            "StepM, Romano and Wolf 2005.",
        ),
        _row(
            "Points above 0",
            f"{above.get('benjamini_hochberg', 0):,}",
            f"At most 5 % of these are false; {above.get('benjamini_yekutieli', 0):,} whatever their dependence.",
            "Benjamini-Hochberg and Benjamini-Yekutieli on 1 - PSR of every point.",
        ),
    ]


def _split_rows(document: JsonObject) -> list[SimpleNamespace]:
    pbo = document["pbo"]
    if not pbo:
        return []
    return [
        _row(
            "Overfitting (PBO)",
            f"{pbo['value']:.0%}",
            "How often the point that was best on half of the time is below the middle on the other half. A pure "
            "lottery gives about 50 %.",
            f"CSCV with {pbo['blocks']} blocks, ranked by {pbo['ranked_by']}: Bailey, Borwein, López de Prado, Zhu.",
        ),
        _row(
            "Loss after the choice",
            f"{pbo['probability_of_loss']:.0%}",
            f"How often the chosen point lost on the other half. Slope of after on before: {pbo['slope']:.2f}.",
            "Share of splits below 0, and the least-squares slope over all splits.",
        ),
    ]


def _days(days: float) -> str:
    return f"{days:,.0f} days" if days >= 10 else f"{days:.1f} days"


def _row(name: str, value: str, sentence: str, formula: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, value=value, sentence=sentence, formula=formula)
