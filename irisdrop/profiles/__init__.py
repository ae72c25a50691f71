"""What IT staff write: profiles of cameras and the configuration, read with every fault at its line and column."""
