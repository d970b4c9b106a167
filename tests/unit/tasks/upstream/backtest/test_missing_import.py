"""What an import that finds nothing is answered with: what is missing, and where it is today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import ControllerError
from tasks.upstream.backtest.build import load_controller_module
from tasks.upstream.backtest.folder import deactivate

CASES = {
    "moved_module": (
        "from hummingbot.smart_components.executors.position_executor.data_types import (\n    PositionConfig,\n)\n",
        r"line 1: .*hummingbot \S+, which is installed here, has no module "
        r"hummingbot\.smart_components\.executors\.position_executor\.data_types: the controller was written for "
        r"another version or a fork of Hummingbot; change the import to "
        r"hummingbot\.strategy_v2\.executors\.position_executor\.data_types$",
    ),
    "moved_class": (
        "from hummingbot.core.data_type.order_book import MarketDict\n",
        r"has no MarketDict in hummingbot\.core\.data_type\.order_book: .*"
        r"change the import to hummingbot\.core\.data_type\.common$",
    ),
    "of_a_fork": (
        "import hummingbot.strategy_v2.routers\n",
        r"has no module hummingbot\.strategy_v2\.routers: the controller was written for another version or a fork of "
        r"Hummingbot$",
    ),
    "other_pip_name": ("import cv2\n", r"pip install opencv-python\)$"),
    "pydantic_1": (
        "from pydantic import BaseModel\nclass Config(BaseModel):\n    name = 'x'\n",
        r"line 2: raises on import: PydanticUserError: A non-annotated attribute .* written for pydantic 1$",
    ),
    "refused_default": (
        "from pydantic import BaseModel, Field\n"
        "class Barriers(BaseModel):\n    stop: int = Field(gt=0)\nBarriers(stop=0)\n",
        r"line 4: raises on import: ValidationError: Barriers: stop: Input should be greater than 0$",
    ),
    "own_name": ("from decimal import NoSuchName\n", r"cannot import name 'NoSuchName' from 'decimal' \([^;]*\)$"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_failed_import_says_what_to_do(name: str, tmp_path: Path) -> None:
    source, said = CASES[name]
    folder = tmp_path / "controllers" / "generic"
    folder.mkdir(parents=True)
    (folder / f"{name}.py").write_text(source)
    try:
        with pytest.raises(ControllerError, match=said) as caught:
            load_controller_module(tmp_path, "generic", name)
        assert "pip install hummingbot" not in str(caught.value)
    finally:
        deactivate()
