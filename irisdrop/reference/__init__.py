"""The reference platform: the smallest server that honours the HTTP contract, for trials and tests."""
