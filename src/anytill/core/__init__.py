"""Payments as values: what a payment, a refund, a merchant and a ledger line are, and how they may change.

Standard library only. No clock, no bytes, no randomness: time and numbers come in as arguments.
Read `lifecycle` first; everything else serves that table.
"""
