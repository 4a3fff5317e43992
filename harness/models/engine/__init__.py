"""Our own vLLM server."""
