"""The side that the user runs: read the sweep file, plan, publish, send, collect, rank, report."""
