"""The node: the Celery worker of a machine, and the leases of its chunks."""
