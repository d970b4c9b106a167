"""Controllers and synthetic markets that the engine benchmark and the tests share."""
