"""Where an artifact, a training row or a score comes from: lineage followed over a Hub, and checked on the way."""
