"""What travels between orchestrator and nodes: messages, keys, blobs, scenarios. Light: no hummingbot, no pandas."""
