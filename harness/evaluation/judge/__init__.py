"""LLM-as-a-judge: the prompt, the verdict, what code decides, panels, and the judges themselves."""
