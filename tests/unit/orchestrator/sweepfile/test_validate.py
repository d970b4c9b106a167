"""The key `validate`: what it may hold, what follows from it, and what is said when it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sweepfile import in_sample, validate
from orchestrator.sweepfile.sweep import Sweep, sweep_id
from tasks.errors import SweepFileError, UnknownKey

DAY = 86400
#: 2024-01-01
START = 1704067200
SWEEP: dict[str, Any] = {
    "controller": {
        "controller_type": "generic",
        "controller_name": "mine",
        "connector_name": "binance_perpetual",
        "trading_pair": "BTC-USDT",
        "total_amount_quote": 1000,
    },
    "grid": {"a": [1, 2, 3]},
    "period": {"start": "2024-01-01", "end": "2024-03-31"},
}


def sweep(**keys: Any) -> Sweep:
    return Sweep.from_mapping({**SWEEP, **keys}, "sweep.yml")


class TestWhatItSays:
    def test_without_the_key_nothing_is_held_out(self) -> None:
        assert sweep().end == sweep().period.end
        assert sweep(validate=None).validation == sweep().validation

    def test_the_plain_sweep_ends_before_the_embargo_and_the_holdout(self) -> None:
        found = sweep(validate={"holdout": "30d", "embargo": "2d"})
        assert in_sample.holdout_start(found) == START + 60 * DAY
        assert found.end == START + 58 * DAY - 60
        assert found.definition().end == found.end

    def test_a_fraction_is_of_the_whole_period(self) -> None:
        assert in_sample.holdout_start(sweep(validate={"holdout": 0.2, "embargo": 0})) == START + 72 * DAY

    def test_a_boundary_is_no_inside_of_the_longest_candle_the_sweep_names(self) -> None:
        controller = {**SWEEP["controller"], "interval": "4h"}
        found = sweep(controller=controller, validate={"holdout": "25h", "embargo": "1h"})
        first = in_sample.holdout_start(found)
        assert first is not None
        assert first % (4 * 3600) == 0
        assert (found.end + 60) % (4 * 3600) == 0

    def test_only_the_period_it_runs_decides_the_sweeps_id(self) -> None:
        walk = {"train": "20d", "test": "5d"}
        plain = sweep_id(sweep().definition())
        assert sweep_id(sweep(validate={"walk_forward": walk}).definition()) == plain
        assert sweep_id(sweep(validate={"holdout": "5d"}).definition()) != plain

    @pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12h", 43200), ("60d", 60 * DAY), ("2w", 14 * DAY)])
    def test_lengths_of_time(self, text: str, seconds: int) -> None:
        assert validate.seconds_of(text) == seconds

    def test_robustness_true_means_every_check(self) -> None:
        robustness = sweep(validate={"robustness": True}).validation.robustness
        assert robustness is not None
        assert robustness.costs == (0.5, 1.5, 2.0, 3.0)
        assert robustness.start_shift == (3600, 6 * 3600, DAY)
        assert sweep(validate={"robustness": False}).validation.robustness is None


class TestEmbargo:
    def test_auto_is_the_longest_time_limit_of_config_and_axes(self) -> None:
        nested = {**SWEEP["controller"], "triple_barrier_config": {"time_limit": 3600}}
        assert in_sample.embargo_s(sweep(controller=nested)) == 3600
        grid = {"triple_barrier_config.time_limit": [60, 86400], "a": [1, 2]}
        assert in_sample.embargo_s(sweep(controller=nested, grid=grid)) == 86400

    def test_auto_is_the_base_configs_where_a_directional_controller_says_nothing(self) -> None:
        assert (
            in_sample.embargo_s(sweep(controller={**SWEEP["controller"], "controller_type": "market_making"})) == 2700
        )

    def test_auto_is_nothing_for_a_generic_controller_without_a_time_limit(self) -> None:
        assert in_sample.embargo_s(sweep()) == 0


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"holdout": "7x"}, "validate.holdout: '7x' is not a length of time"),
            ({"holdout": 1}, "neither a fraction"),
            ({"holdout": 0}, "neither a fraction"),
            ({"holdout": "100d"}, "the hold-out of 100d leave"),
            ({"holdout": "10d", "embargo": "11d"}, "11d is longer than the hold-out of 10d"),
            ({"embargo": "soon"}, "'soon' is not a length of time"),
            ({"walk_forward": "60d"}, "must be keys and values, such as {train: 60d, test: 14d}"),
            ({"walk_forward": {"train": "1d"}}, "validate.walk_forward.test: is missing; add"),
            ({"walk_forward": {"train": "1d", "test": "0d"}}, "must be longer than 0"),
            ({"walk_forward": {"train": "1d", "test": "1d", "step": "0h"}}, "walk_forward.step: must be longer than 0"),
            ({"walk_forward": {"train": "1d", "test": "1d", "choice": "bset"}}, "the nearest is best"),
            ({"walk_forward": {"train": "1d", "test": "1d", "choice": {"median": 0}}}, "a whole number from 1 on"),
            ({"robustness": {"costs": ["a"]}}, "must be a number"),
        ],
    )
    def test_one_sentence_with_place_and_remedy(self, keys: Any, said: str) -> None:
        with pytest.raises(SweepFileError) as error:
            sweep(validate=keys)
        assert str(error.value).startswith("sweep.yml, line ")
        assert said in str(error.value)
        assert "\n" not in str(error.value)

    def test_an_unknown_key_names_the_nearest_of_its_place(self) -> None:
        with pytest.raises(UnknownKey, match="nearest valid key is `anchored`"):
            sweep(validate={"walk_forward": {"train": "1d", "test": "1d", "anchor": True}})
