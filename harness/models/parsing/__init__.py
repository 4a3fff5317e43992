"""Raw model text to a tool call, family by family.

    elements.py    Calls as elements: one for the call, named in its opening tag, with one per argument
    family.py      Family, Style, Reading, Span; a call from a JSON object, and in the canonical notation
    key_values.py  Calls as a name and pairs of elements, one with a key and one with its value
    literals.py    JSON and Python literals inside a text, strict, or with the usual mistakes of models repaired
    pythonic.py    Calls written as Python: `name(key=value, ...)`
    reading.py     Raw text to one call: strict in a family's own notation, or lenient in any of them
    scanners.py    Calls as JSON after a mark, and what all scanners share
    schemas.py     What a tool's JSON schema says of a value, for notations that write values as bare text
    strip_thinking.py  The answer part of a raw text: without the thinking before it and the end tokens after it
    tags.py        Where a value between tags ends, also where tags are missing or doubled
    typed.py       Arguments written as bare text, as values of the declared type
    vllm_parsers.py  A second reading by vLLM's own tool parsers, where vLLM is installed
    formats/       One file per notation

A family is a notation of tool calls; each is declared in one file of `formats/` and found by listing that
folder. `read` is the way in. `read_with_vllm` is a second reading, by vLLM's own parsers.
"""

from harness.models.parsing.family import Family, Reading, Span, Style, canonical
from harness.models.parsing.reading import detect_family, families, read
from harness.models.parsing.vllm_parsers import read_with_vllm

__all__ = ["Family", "Reading", "Span", "Style", "canonical", "detect_family", "families", "read", "read_with_vllm"]
