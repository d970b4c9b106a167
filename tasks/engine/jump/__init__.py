"""The jump engine: the stock engine's results, asking the controller only when something can change."""
