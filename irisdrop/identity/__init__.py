"""Settled → identified: what an export says about itself, each reading with the place it was read from."""
