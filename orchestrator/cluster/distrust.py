"""Nodes whose rows did not fit their chunks get no more chunks of that sweep, while another node can take them.

The list is one set per sweep on the broker; a child asks it before it begins a chunk (tasks/child/begin.lua).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.protocol.keys import Keys

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster


class Distrust:
    """The distrusted nodes of one sweep, kept by the orchestrator that collects it."""

    def __init__(self, cluster: Cluster, sweep: str):
        self._cluster, self._key = cluster, Keys(sweep).distrusted
        self._nodes: set[str] = set()

    def add(self, child: str) -> bool:
        """No more chunks for the node of this child (`<node>/<process>`); False where no other node could take them."""
        node = child.partition("/")[0]
        if not self._others({*self._nodes, node}):
            return False
        self._nodes.add(node)
        self._cluster.redis.sadd(self._key, node)
        return True

    def look(self) -> None:
        """When no other node is left, a distrusted one is better than none: its rows are checked, too."""
        if self._nodes and not self._others(self._nodes):
            self.clear()

    def clear(self) -> None:
        """Trust everybody again."""
        self._nodes.clear()
        self._cluster.redis.delete(self._key)

    def _others(self, without: set[str]) -> bool:
        queue = self._cluster.settings.queue
        return any(node.queue == queue and node.name not in without for node in self._cluster.nodes())
