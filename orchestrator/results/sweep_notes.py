"""What a store notes of a sweep beside its definition (`meta`): checked where it is read.

    rank_by, where, across, file      from the sweep file; an earlier version noted fewer of them
    audit, live, trust, ...           what a stage of a run found: a mapping, or nothing

Raises StoreError for what no version wrote, so that whoever reads a note finds it of its type.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.errors import StoreError
from tasks.named_types import JsonObject, JsonView

#: By what rows are ranked where nothing is noted.
RANK_BY = "net_pnl"
#: Notes that are a mapping, each with what a reader relies on in it.
_MAPPINGS: dict[str, tuple[str, ...]] = {
    "across": (),
    "feeds": (),
    "no_answer": (),
    "audit": (),
    "live": (),
    "trust": ("verdict", "sentence"),
    "noise_worlds": (),
    "walk_forward": (),
    "holdout": (),
    "robustness": (),
    "finished": (),
}
_LISTS = ("looks",)
_TEXTS = ("rank_by", "where", "file")


def checked(meta: Any) -> JsonObject:
    """The notes of a sweep with what an earlier version left out. Raises TypeError or KeyError with what is wrong."""
    if not isinstance(meta, dict):
        raise TypeError("its notes are no mapping")
    for names, kind, what in ((_TEXTS, str, "text"), (_LISTS, list, "list"), (_MAPPINGS, dict, "mapping")):
        for name in names:
            if not isinstance(meta.get(name), kind | None):
                raise TypeError(f"its note {name} is no {what}")
    for name, needed in _MAPPINGS.items():
        if meta.get(name) and (missing := [one for one in needed if one not in meta[name]]):
            raise KeyError(f"its note {name} has no {missing[0]}")
    return {**meta, "rank_by": meta.get("rank_by") or RANK_BY, "where": meta.get("where")}


def sweep_file_of(meta: JsonView, folder: Path) -> Path:
    """The path of the sweep file as it was when the sweep ran. Raises StoreError where none is noted."""
    if not meta.get("file"):
        raise StoreError(
            f"{folder}: does not say which sweep file it is of (an earlier version of hummingsweep wrote it): give the "
            "sweep's `run` command again with this folder as --out"
        )
    return Path(str(meta["file"]))
