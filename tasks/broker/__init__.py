"""The connection to the broker: the Celery app and the Redis client."""
