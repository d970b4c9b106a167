"""The orchestrator's side of a cluster: broker, embedded server and its guardian, the lease on a sweep's rows."""
