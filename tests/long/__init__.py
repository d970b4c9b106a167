"""Runs that take minutes to hours: faults at random moments, an hour of load. `make test-long` does short ones."""
