"""The local page: what a camera operator sees and decides, served by the agent to this machine alone."""
