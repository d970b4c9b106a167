"""What runs on every machine: nodes, children, engines; and what passes between them and the orchestrator."""
