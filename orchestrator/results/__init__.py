"""The result store of an output folder, and what is exported from it."""
