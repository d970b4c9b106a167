"""The table of a controllers folder: which files are controllers, and no line without a word."""

from __future__ import annotations

from pathlib import Path

from benchmarks.controllers import NO_EXECUTOR, Found, controllers_in, table


def test_files_that_define_a_config_are_controllers_however_deep_they_lie(tmp_path: Path) -> None:
    config = "class XConfig(ControllerConfigBase): ..."
    files = {
        "generic/one.py": config,
        "generic/examples/two.py": config,
        "directional_trading/three.py": "class YConfig(DirectionalTradingControllerConfigBase): ...",
        "generic/helper.py": "def mean(): ...",
        "generic/__init__.py": config,
        "notes.py": config,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(controllers_in(tmp_path)) == [
        ("directional_trading", "three"),
        ("generic", "examples.two"),
        ("generic", "one"),
    ]


def test_the_sums_below_the_table_count_who_is_silent() -> None:
    lines = table(
        [
            Found("generic/a", loads=True, executors=3, engine="jump", equal=True, ratio=2.04),
            Found("generic/b", loads=True, executors=0, engine="step", equal=False, said="no | order"),
            Found("generic/c", said="raises on import"),
            Found("generic/d", loads=True, executors=48, engine="live", said="its features are empty"),
            Found("generic/e", loads=True, executors=0, engine="jump", equal=True),
            Found("generic/f", loads=True, executors=0, engine="jump", equal=True, said=NO_EXECUTOR),
        ]
    )
    assert lines[2] == "| generic/a | yes | 3 | jump | yes | 2.0 |  |"
    assert lines[3] == "| generic/b | yes | 0 | step | **no** |  | no \\| order |"
    assert lines[-1] == (
        "6 controllers: 5 load, 2 open executors, 2 say instead what they need or what is wrong, 1 had no reason to "
        "trade in this period, 1 neither trade nor say why; 3 of 4 that both engines ran are equal."
    )
