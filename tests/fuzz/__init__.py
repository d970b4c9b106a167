"""Bytes from outside, changed at random: no door lets anything but a sentence out, or takes memory without bound.

    python -m tests.fuzz --seconds 60 [--door rows] [--keep]

Doors are in `doors.py`. Inputs that reach a line of ours which no input before reached are kept: in `corpus/` with
`--keep`, otherwise in the cache folder of pytest, so that the next run begins with them.
"""
