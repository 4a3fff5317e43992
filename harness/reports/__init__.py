"""What people read: cards, tables, plots, comments."""
