"""From a sweep to its rows: point source, planner, publishing, collecting, and the stages that test the answer."""
