"""Everything that is wrong with a sweep file is said at once."""

import pytest

from orchestrator.sweepfile.reference import keys, markdown
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import BadAxis, SweepFileError, UnknownKey
from tests.unit.orchestrator.sweepfile.test_sweep import SWEEP


def test_all_mistakes_are_said_the_first_in_the_file_first():
    made = {**SWEEP, "trade_cost": 6, "wehre": "a > 1", "shift": -1}
    with pytest.raises(SweepFileError, match="trade_cost: 6") as caught:
        Sweep.from_mapping(made)
    assert ["wehre: unknown key; the nearest valid key is `where`" in text for text in caught.value.others] == [
        True,
        False,
    ]
    assert "shift: -1" in caught.value.others[1]


def test_what_several_keys_contradict_is_said_at_once():
    made = {**SWEEP, "grid": {"point": [1]}, "period": {"start": 20, "end": 10}, "across": {"pair": "min"}}
    with pytest.raises(SweepFileError) as caught:
        Sweep.from_mapping(made)
    said = [str(caught.value), *caught.value.others]
    for words in ("grid.point: is a column", "period.end: ", "across.pair: is no axis"):
        assert any(words in text for text in said), words


@pytest.mark.parametrize(
    ("pair", "hint"),
    [
        ("ADAUSDT", "write ADA-USDT"),
        ("BTCAEUR", "write BTC-AEUR or BTCA-EUR"),
        ("BTC/USDT", "write BTC-USDT"),
        ("NONSENSE", "write it as BTC-USDT"),
    ],
)
def test_a_pair_without_a_dash_is_told_with_the_pair_that_is_meant(pair, hint):
    with pytest.raises(SweepFileError, match=f"controller.trading_pair: '{pair}': .*{hint}"):
        Sweep.from_mapping({**SWEEP, "controller": {**SWEEP["controller"], "trading_pair": pair}})


def test_an_axis_that_leads_nowhere_or_lies_in_another_is_refused():
    for axes, words in [
        ({"candles_config.0.interval": ["1m"], "x.y": [1]}, "leads nowhere: controller: candles_config is a list"),
        ({"triple": [{}], "triple.stop": [1]}, "grid.triple.stop: lies in triple, which is an axis"),
    ]:
        made = {**SWEEP, "grid": axes, "controller": {**SWEEP["controller"], "candles_config": []}}
        with pytest.raises(BadAxis, match=words):
            Sweep.from_mapping(made)


def test_a_key_of_the_controller_at_the_top_is_sent_where_it_belongs():
    with pytest.raises(UnknownKey, match=r"belongs under `controller:`"):
        Sweep.from_mapping({**SWEEP, "bb_length": 3})


def test_a_list_that_is_one_text_is_told_as_numbers():
    with pytest.raises(BadAxis, match=r"grid\.x: .*write \[20, 25, 30\]"):
        Sweep.from_mapping({**SWEEP, "grid": {"x": "20,25,30"}})


def test_the_table_of_keys_has_every_key_with_a_sentence():
    table = {key.name: key for key in keys()}
    assert set(table) >= {"grid", "skip", "period.start", "import_path", "across", "fills"}
    assert all(key.sentence and key.type for key in table.values())
    assert table["engine"].type == "auto | jump | stock | live" and table["engine"].default == "auto"
    assert table["controller"].default == ""
    assert markdown().count("\n") == len(table) + 2
