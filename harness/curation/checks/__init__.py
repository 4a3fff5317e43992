"""What code can say of traces without asking anybody: layout, calls, consistency, duplicates, contamination."""
