"""The one client of a Hub, lineage, jobs."""
