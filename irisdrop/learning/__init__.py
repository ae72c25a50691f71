"""A profile proposed from exports and from what is known of whose they are."""
