"""The commands, a module for each kind: sweeps, answers, cluster. Each parses, calls one function, prints."""
