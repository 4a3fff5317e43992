"""What is in a file of traces, and personal data."""
