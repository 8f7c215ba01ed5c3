"""A store to look at: a generated catalog of groceries, baby and kids, home and fashion, with stock and offers.

Everything is made from words and hashes of words, so each load of each release makes the same store.
"""
