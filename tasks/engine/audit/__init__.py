"""Does a controller see the future? Run the whole period, then the period cut at random moments, and compare."""

from tasks.engine.audit.history import HistoryReport, audit_history
from tasks.engine.audit.report import AuditReport, Finding, State
from tasks.engine.audit.run import audit, by_construction

__all__ = ["AuditReport", "Finding", "HistoryReport", "State", "audit", "audit_history", "by_construction"]
