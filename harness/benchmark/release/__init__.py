"""The benchmark as a public, versioned release: planned and checked first, private until it is complete."""
