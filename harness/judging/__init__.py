"""LLM-as-a-judge: the prompt, the verdict, what code decides, panels, and the judges themselves."""

JUDGE_METRIC = "llm-as-a-judge"
"""The metric's name in columns, reports and cards."""
