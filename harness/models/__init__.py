"""From a conversation to a prompt, and from a call to an answer: backends, our own engine, chat endpoints, parsing."""
