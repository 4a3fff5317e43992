"""How well damaged traces were repaired, measured against the clean ones."""
