"""Executors: one file per kind, each with its stock and its honest simulation.

    _base      what every simulation returns (Trajectory), and what is known of a kind (ExecutorKind)
    position   dca   grid   order     the kinds
    registry   config class -> kind; `simulate`, the one way in
    ladder     entry at some prices, one close of the whole, under fills other than stock
    honest_grid   the grid under fills other than stock
    matching   when an order fills on the path of a candle
    filled     what an executor is worth on every row, from its fills
    accepted   whether a config is still one that upstream takes
    lazy_config   configs of position executors that are made when they are read
    warm       compiles all loops before the first point

A new kind is a file with an ExecutorKind and a line in `registry`.
"""

from tasks.engine.executors._base import ExecutorKind, NotReproduced, State, Table, Trajectory
from tasks.engine.executors.registry import kind_of, simulate

__all__ = ["ExecutorKind", "NotReproduced", "State", "Table", "Trajectory", "kind_of", "simulate"]
