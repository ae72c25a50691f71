"""Where an image ends: delivered with a receipt, or in quarantine with a reason until a person has decided."""
