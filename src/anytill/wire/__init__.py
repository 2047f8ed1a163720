"""Bytes as values: decoding, encoding and signing, with no vendor's name in it.

Everything here is a plain function from a value to a value. Whatever the bytes, a decoder answers with a message or
raises a `anytill.wire.errors.WireError`, and nothing else.
"""
