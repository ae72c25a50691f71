"""From what was read to the one order that it fits, or to why not."""
