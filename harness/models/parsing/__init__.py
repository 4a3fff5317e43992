"""Raw model text to a tool call, family by family.

A family is a notation of tool calls; each is declared in one file of `formats/` and found by listing that
folder. `read` is the way in. `read_with_vllm` is a second reading, by vLLM's own parsers.
"""

from harness.models.parsing.engine import read_with_vllm
from harness.models.parsing.family import Family, Reading, Span, Style
from harness.models.parsing.notation import canonical
from harness.models.parsing.reading import detect_family, families, read

__all__ = ["Family", "Reading", "Span", "Style", "canonical", "detect_family", "families", "read", "read_with_vllm"]
