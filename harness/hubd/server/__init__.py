"""HTTP: app, router, bodies."""
