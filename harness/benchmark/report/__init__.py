"""The benchmark's results in one place: tables, a verdict, plots and a page, from the results dataset at one commit."""
