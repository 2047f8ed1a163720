"""Forged messages for every dialect: genuine ones changed in all the ways that an attacker or a bad line could, without
the key. `make fuzz` sends a million of each kind; what it looks for is in `judges`.

Nothing here knows a vendor's format. What is genuine comes from each dialect's own client (`seeds`), what a message is
made of is seen by looking (`shapes`), and what the till was asked for tells what a message meant (`desk`).
"""
