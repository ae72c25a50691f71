"""The tray icon: in one look, whether all is well. It speaks to the page alone and knows nobody's name or number."""
