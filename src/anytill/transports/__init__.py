"""Sockets, lines, clocks, log streams and journals: the effects of the outside world behind `anytill.ports`.

A transport carries bytes and knows no payments. Each file is the only one that imports its foreign library, so that the
library can be replaced by replacing the file.
"""
