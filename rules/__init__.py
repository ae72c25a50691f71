"""The shelf: one YAML profile per camera, shipped as package data. Nothing here is code."""
