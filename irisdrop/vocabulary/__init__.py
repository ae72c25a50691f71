"""The words that every part of irisdrop shares; this package imports nothing else of ours."""
