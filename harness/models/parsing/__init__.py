"""Raw model text to a tool call, family by family.

    answers.py     What of a raw text is the answer: without thinking and end tokens
    braces.py      Calls in braces without JSON's quotes: `name{key:value}`, with text between marks of its own
    elements.py    Calls as elements: one for the call, named in its opening tag, with one for each argument in it
    engine.py      A second reading by vLLM's own tool parsers, where vLLM is installed
    family.py      What a family is, what reading a text gives, and the pieces that scanners work with
    key_values.py  Calls as a name and pairs of elements, one with a key and one with its value
    literals.py    JSON and Python literals inside a text, with what models leave out or double put right
    notation.py    A call as the published predictions write it
    pythonic.py    Calls written as Python: `name(key=value, ...)`
    reading.py     Raw text to one call: strict in a family's own notation, or lenient in any of them
    scanners.py    Calls as JSON after a mark, and the pieces that all scanners walk with
    schemas.py     What a tool's JSON schema says of a value, for notations that write values as bare text
    tags.py        Where a value between tags ends, also where tags are missing or doubled
    typed.py       Arguments that a notation writes as bare text, as values of the declared type
    values.py      JSON values inside a text, read from a position on, without ever running away
    formats/       One file a notation

A family is a notation of tool calls; each is declared in one file of `formats/` and found by listing that
folder. `read` is the way in. `read_with_vllm` is a second reading, by vLLM's own parsers.
"""

from harness.models.parsing.engine import read_with_vllm
from harness.models.parsing.family import Family, Reading, Span, Style
from harness.models.parsing.notation import canonical
from harness.models.parsing.reading import detect_family, families, read

__all__ = ["Family", "Reading", "Span", "Style", "canonical", "detect_family", "families", "read", "read_with_vllm"]
