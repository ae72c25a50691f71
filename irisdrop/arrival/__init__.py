"""A file appears, becomes complete, and its bytes become ours: watching, scanning, settling, taking."""
