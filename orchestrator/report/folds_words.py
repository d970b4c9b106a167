"""Windows, hold-out and robustness in sentences: on a terminal and in the report."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.report.text import Objective, cell_text
from tasks.named_types import JsonView
from tasks.times import utc_day, utc_minute

#: Efficiency from which on a choice is usually called usable (Pardo).
USUAL_BAR = 0.5
DAY_S = 86400
#: Fewer days are not turned into a year.
MIN_YEARLY_DAYS = 30


def closing_lines(answer: JsonView) -> list[str]:
    """A few sentences on everything that was tested out of sample."""
    lines: list[str] = []
    walk = answer.get("walk_forward")
    if walk and walk["joined"]:
        lines += _joined_lines(walk)
    elif walk:
        why = next((fold["why"] for fold in walk["folds"] if fold.get("why")), "")
        lines.append(f"out of sample: no fold has a point that could be tested{': ' + why if why else ''}")
    if walk and walk.get("order_note"):
        lines.append(walk["order_note"])
    if holdout := answer.get("holdout"):
        lines += holdout_lines(holdout)
    if any((answer.get(part) or {}).get("returns_of") for part in ("walk_forward", "holdout")):
        lines.append("returns out of sample, and what is made of them, are those of the stock fills (`fills: both`)")
    if robustness := answer.get("robustness"):
        lines += [*robustness["notes"], *robustness.get("left_out", [])]
    return lines


def _joined_lines(walk: JsonView) -> list[str]:
    joined, control = walk["joined"], walk["control"]
    lines = [
        f"out of sample: {joined['windows']} test windows, {days_text(joined['days'])}, return "
        f"{percent(joined['return'])}{_per_year(joined)}, {sharpe_text(joined)}, drawdown "
        f"{percent(joined['max_drawdown'])}, {joined['winning_windows']:.0%} of the windows won"
    ]
    lines += _too_short_to_show(joined)
    if joined["efficiency"] is None:
        lines.append("efficiency: none, for the chosen points lost in training")
    elif joined["efficiency"] < 0:
        lines.append(
            f"efficiency: {joined['efficiency']:.2f} (yearly return in the tests / in training): what earned in "
            "training lost in the tests"
        )
    else:
        lines.append(
            f"efficiency: {joined['efficiency']:.2f} of the yearly return in training was kept in the tests "
            f"({USUAL_BAR} is the usual bar)"
        )
    if control:
        lines.append(
            f"choosing at random: return {percent(control['return'])} (median of {control['draws']} draws); the rule "
            f"beats {control['beaten']:.0%} of them"
        )
    others = [each for each in walk["choices"][1:] if each.get("return") is not None]
    if others:
        returns = ", ".join(percent(each["return"]) for each in others)
        lines.append(f"had the 2nd, 3rd, ... of each training been chosen, the same windows joined: return {returns}")
    lines += [_wander_line(each) for each in walk["parameters"] if each["changed"]]
    correlations = [value for value in walk.get("rank_correlation") or [] if value is not None]
    if correlations:
        mean = sum(correlations) / len(correlations)
        lines.append(
            f"rank correlation of training and test over all points: {mean:+.2f} (mean of {len(correlations)})"
        )
    if paths := walk.get("paths"):
        spread = paths["return"]
        lines.append(
            f"{paths['paths']} paths of {paths['splits']} splits: return from {percent(spread['low'])} to "
            f"{percent(spread['high'])}, median {percent(spread['median'])}, {paths['losing']:.0%} of them lose"
        )
    return lines


def _too_short_to_show(joined: JsonView) -> list[str]:
    """How strong an edge would have to be to show in tests of this length, where they show none; [] where they do."""
    least = joined.get("sharpe_shown")
    if least is None or joined["sharpe_low"] is None or joined["sharpe_low"] > 0:
        return []
    if joined["sharpe_high"] < 0:
        return ["the whole range of that Sharpe ratio is below 0: what was chosen loses"]
    return [
        "0 is in the range of that Sharpe ratio, so the tests alone do not tell an edge from luck; in "
        f"{days_text(joined['days'])} a true ratio of {least:.1f} shows in 8 of 10 cases, a smaller one less often"
    ]


def _wander_line(each: JsonView) -> str:
    text = f"{each['axis']}: another value in {each['changed']:.0%} of the folds"
    if each["step"] is not None:
        text += f", moving {each['step']:.0%} of the axis on average"
    return f"{text} ({', '.join(cell_text(value) for value in each['values'])})"


def holdout_lines(holdout: JsonView) -> list[str]:
    """What the hold-out said."""
    first = next((each for each in holdout["points"] if each["rank"] == 1), None)
    if first is None:
        return []
    looks, rank_by = holdout["looks"], holdout.get("rank_by")
    objective = Objective.of(rank_by) if rank_by else Objective("", is_fraction=False)
    when = f"hold-out {between(holdout['start'], holdout['end'])}: best point {first['point']}"
    inside = f"(in sample {objective.name} {objective.text(first['objective_in'])})"
    if holdout.get("by_return"):
        lines = [
            f"{when} return {percent(first['return'])} {inside}; median return of the best "
            f"{percent(holdout['best_median'])}{_of_random(holdout, percent)}; too short for {objective.name}"
        ]
    else:
        lines = [
            f"{when} {objective.name} {objective.text(first['objective_out'])} (in sample "
            f"{objective.text(first['objective_in'])}), return {percent(first['return'])}; median of the best "
            f"{objective.text(holdout['best_median'])}{_of_random(holdout, objective.text)}"
        ]
    if looks > 1:
        lines.append(f"this hold-out was looked at {looks} times with this controller: with every look it says less")
    return lines


def _of_random(holdout: JsonView, text: Callable[[float | None], str]) -> str:
    """What random points did there; "" where the sweep has no others to draw."""
    return "" if holdout["random_median"] is None else f", of random points {text(holdout['random_median'])}"


def _per_year(joined: JsonView) -> str:
    """The rate per year in brackets; nothing where too few days would make it up."""
    return f" ({percent(joined['return_per_year'])} a year)" if joined["days"] >= MIN_YEARLY_DAYS else ""


def days_text(days: float) -> str:
    """A length of time in days, below three of them in hours."""
    return f"{days:.0f} days" if days >= 3 else f"{days * 24:.0f} hours"


def percent(value: float | None) -> str:
    """A fraction as per cent."""
    return "" if value is None else f"{value:+.2%}"


def sharpe_text(joined: JsonView) -> str:
    """The Sharpe ratio with its interval, or why there is none."""
    if joined["sharpe"] is None:
        return f"no Sharpe ratio from {joined['intervals']} returns"
    return f"Sharpe {joined['sharpe']:.2f} (95%: {joined['sharpe_low']:.2f} to {joined['sharpe_high']:.2f})"


def objective_columns(walk: JsonView) -> dict[str, str]:
    """Heading -> key of a fold, for `rank_by` in training and test; without a column in which no fold has a number."""
    objective = str(walk["rank_by"]).lstrip("-")
    columns = {f"{objective} in": "objective_in", f"{objective} out": "objective_out"}
    return {head: key for head, key in columns.items() if any(fold.get(key) is not None for fold in walk["folds"])}


def rule_text(answer: JsonView) -> str:
    """How the point of each fold was chosen, in words."""
    name, number = answer["rule"]["name"], answer["rule"]["number"]
    rules = {
        "best": f"chosen: the best by {answer['rank_by']}",
        "neighbourhood": f"chosen: the best neighbourhood by {answer['rank_by']}",
        "median": f"chosen: the middle of the best {number} by {answer['rank_by']}",
        "point": f"point {number} in every fold",
    }
    return rules[name]


def between(start: int, end: int) -> str:
    """A window in days where it is made of days, in minutes otherwise."""
    if start % DAY_S == 0 and (DAY_S - end % DAY_S <= 3600 or end % DAY_S == 0):
        return f"{utc_day(start)} to {utc_day(end)}"
    return f"{utc_minute(start)} to {utc_minute(end)}"
