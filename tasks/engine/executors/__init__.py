"""Executors: one file per kind, each with its stock and its honest simulation.

    _base      what every simulation returns (Trajectory), and what is known of a kind (ExecutorKind)
    position   dca   grid   order     the kinds
    registry   config class -> kind; `simulate`, the one way in
    honest     what executors share under fills other than stock
    accepted   whether a config is still one that upstream takes
    lazy_config   configs of position executors that are made when they are read

A new kind is a file with an ExecutorKind and a line in `registry`.
"""

from tasks.engine.executors._base import ExecutorKind, NotReproduced, State, Table, Trajectory
from tasks.engine.executors.registry import kind_of, simulate

__all__ = ["ExecutorKind", "NotReproduced", "State", "Table", "Trajectory", "kind_of", "simulate"]
