"""Is what a controller hands over still what upstream would take?

Upstream's configs demand things of themselves when they are made (amounts and barriers above 0, ...), and the
simulators here rely on it. A config can be changed afterwards, by assignment or by `model_copy(update=...)`, without
being asked again; upstream's engine asks it again whenever it looks at its executor, and fails there.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from tasks.engine.executors._base import NotReproduced
from tasks.upstream.names import (
    ExecutorConfigBase,
    TrailingStop,
    TripleBarrierConfig,
)

_BARRIERS, _TRAILING = TripleBarrierConfig.__pydantic_validator__, TrailingStop.__pydantic_validator__


def accepted(config: ExecutorConfigBase, model: type[BaseModel]) -> Any:
    """The config itself, where it is valid as a `model`, the kind of executor upstream takes it for.

    Raises NotReproduced for any other: how upstream fails, or what it makes of it, it shows best itself.
    """
    try:
        model.__pydantic_validator__.validate_python(config)
        barriers = getattr(config, "triple_barrier_config", None)
        if barriers is not None:
            _BARRIERS.validate_python(barriers)
            if barriers.trailing_stop is not None:
                _TRAILING.validate_python(barriers.trailing_stop)
    except ValidationError:
        raise NotReproduced("the config of an executor was changed into one that upstream refuses") from None
    if config.type != model.model_fields["type"].default:
        raise NotReproduced(f"an executor config of a type of its own, {config.type!r}")
    return config
