"""One self-contained HTML page per sweep."""

from orchestrator.report.page import write_report

__all__ = ["write_report"]
