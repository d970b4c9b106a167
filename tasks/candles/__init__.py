"""Candle files: formats, import, checks, slices, and the mirror of slices in memory."""
