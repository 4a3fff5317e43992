"""The benchmark as a whole: its cells, their names, how they are run, and what became of them."""
