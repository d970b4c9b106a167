"""Candles in the layouts of exchanges and vendors, as the columns that everything else here reads.

    sheet     a file as a table: text with any delimiter and preamble, JSON, Parquet, feather
    columns   which of its columns is which
    times     times in any notation, as seconds
    numbers   decimal commas, thousands
    names     what a file's name says: symbol, interval

Rows are sorted by time; a row that is a duplicate is taken once, two that contradict each other are refused.
"""

from tasks.candles.foreign.reading import Foreign, is_ours, peek, read

__all__ = ["Foreign", "is_ours", "peek", "read"]
