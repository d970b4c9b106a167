"""Candles and trading rules: what is there, and downloads."""
