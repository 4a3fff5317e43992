"""The answer in a model's text: without thinking, channel marks, end tokens and wrappers; and the words around it.

The notations are those of `harness.models.parsing.strip_thinking`, and what models write that were never taught a mark.
Nothing is guessed: where thinking ends cannot be told, the text is refused.
"""

from __future__ import annotations

import re

from harness.models.parsing.strip_thinking import END_TOKENS, THINKING

_PAIRS = (
    *THINKING,
    *(
        (f"<{name}>", f"</{name}>")
        for name in ("thinking", "thought", "thoughts", "reasoning", "analysis", "scratchpad")
    ),
    ("<reflection>", "</reflection>"),
    ("<unused94>thought", "<unused95>"),
)
_CLOSERS = tuple(dict.fromkeys(close for _, close in _PAIRS if close not in ("<|end|>", "<|eom|>")))
_HEADER = re.compile(
    r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(?:final|commentary)[^<]{0,40}(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>"
    r"|<\|(?:im_start|im_assistant)\|>\s*assistant\s*(?:<\|im_middle\|>|\n)|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>"
    r"|<start_of_turn>\s*model\b|<\|turn>\s*model\b|<\|START_RESPONSE\|>|<\|START_OF_TURN_TOKEN\|>|<\|CHATBOT_TOKEN\|>"
    r"|<\|assistant\|>|<｜Assistant｜>|\[/INST\]|<s>|<bos>|<pad>|<\|begin_of_text\|>|<\|begin_of_box\|>|assistant\s*[:\n]\s*(?=[{`<])|<\|channel>final\b|<\|message_model\|>"
    r"|<\|open\|>response<\|sep\|>"
)
"""What begins an answer where the engine does not skip special tokens."""
_WITHOUT_MARKS = re.compile(r"analysis(?:(?!assistantfinal).)*assistantfinal(?!.*assistantfinal)", re.DOTALL)
"""gpt-oss, where the engine has left out the tokens between its words."""
_END = re.compile(
    r"(?:<\|close\|>\w{1,20}<\|sep\|>|<\|[A-Za-z_]{2,40}\|>|<｜[^<>｜]{1,40}｜>|\[\|endofturn\|\]|<end_of_utterance>|<EOT>|<pad>|\[/?EOS\]|<turn\|>|"
    + "|".join(map(re.escape, END_TOKENS))
    + r")\s*\Z"
)
_WRAPPED = re.compile(
    r"<(answer|final_answer|final|response|output|result|json|verdict|pre|code)>\s*(.*?)\s*</\1>",
    re.DOTALL | re.IGNORECASE,
)
_BOXED = re.compile(r"(\$*)\\boxed\{\s*(\{.*\})\s*\}\$*", re.DOTALL)
"""How models taught mathematics mark an answer."""
_TICKED = re.compile(r"(`)(\{[^`]*\})`")
_FINAL = re.compile(r"<\|channel\|>\s*final[^<]{0,40}(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>")
_BLANK = " \t\r\n\f\v\ufeff\u200b\u2060"
_MOST_MARKS = 32


def answer_text(text: str) -> str:
    """Return the answer in a model's text, after any number of blocks of thinking; ValueError where it has none.

    A closing mark without an opening one ends thinking that the prompt has opened, if it is the only one.
    """
    body = _without_end(text.strip(_BLANK))
    thought = False
    for _ in range(_MOST_MARKS):
        rest, is_thinking = _without_start(body)
        if rest == body:
            break
        body, thought = rest, thought or is_thinking
    if not thought and not body.startswith(("{", "[", '"', "`")):
        body = _after_prefilled(body)
    wrapped = _WRAPPED.fullmatch(body) or _TICKED.fullmatch(body) or _BOXED.fullmatch(body)
    return wrapped[2] if wrapped else body


def has_marks(text: str) -> bool:
    """Whether a text has the marks of thinking in it."""
    return any(mark in text for pair in _PAIRS for mark in pair)


def _without_end(text: str) -> str:
    for _ in range(_MOST_MARKS):
        shorter = _END.sub("", text).rstrip()
        if shorter == text:
            break
        text = shorter
    return text


def _without_start(text: str) -> tuple[str, bool]:
    """Return a text without the block of thinking or the header that it begins with, and whether it was thinking."""
    if found := _HEADER.match(text):
        return text[found.end() :].lstrip(), False
    if found := _WITHOUT_MARKS.match(text):
        return text[found.end() :].lstrip(), True
    pair = next((pair for pair in _PAIRS if text[: len(pair[0])].lower() == pair[0].lower()), None)
    if pair is None:
        return text, False
    opening, closing = pair
    end = text.lower().find(closing.lower(), len(opening))
    if end < 0:
        raise ValueError("the answer ends inside its thinking")
    # The first closing mark counts: thinking that quotes one leaves text before the answer, which is refused.
    if opening.lower() in text[len(opening) : end].lower():
        raise ValueError("the thinking quotes thinking, so where it ends cannot be told")
    return text[end + len(closing) :].lstrip(), True


def _after_prefilled(text: str) -> str:
    """Return what follows the only closing mark of a text; all of a text without one."""
    lowered = text.lower()
    places = [(place.start(), close) for close in _CLOSERS for place in re.finditer(re.escape(close.lower()), lowered)]
    if not places:
        parts = _FINAL.split(text)
        return parts[1].lstrip() if len(parts) == 2 else text
    if len(places) > 1:
        raise ValueError("the thinking quotes the end of thinking, so where it ends cannot be told")
    [(place, close)] = places
    if any(opening.lower() in lowered[:place] for opening, _ in _PAIRS):
        raise ValueError("the answer does not begin with its thinking, so what is quoted cannot be told")
    rest = text[place + len(close) :].lstrip()
    while found := _HEADER.match(rest):
        rest = rest[found.end() :].lstrip()
    return rest


_ANNOUNCES = re.compile(
    r"\b(verdict|answer|judge?ment|results?|evaluation|assessment|output|response|json|decision|conclusion|rating|final|here)\b"
)
_QUOTES = re.compile(
    r"\b(says?|said|states?|stated|contains?|contained|holds?|quot\w+|writes?|wrote|claims?|claimed|inject\w*|embedded|examples?|"
    r"e\.g|schema|format|template|placeholder|instruct\w*|prompt|would|could|might|should have|cannot|can not|unable|"
    r"sorry|refus\w+|declin\w+|ignor\w+|attempt\w*|tries|tried|asks?|asked|wants?|told|tells?|looks? like|shape)\b|"
    r"can['’]t|won['’]t|\bnot (my|the|a|an) (\w+ )?(verdict|answer|judge?ment)\b"
)
"""What says that an object stands there for another reason than being the answer."""
_DATA = re.compile(r"\b(text|message|user|prediction|reference|case|tool|conversation)\b")
_DOUBTS = re.compile(
    r"\b(but|however|wait|actually|although|though|instead|correct\w*|mistake\w*|wrong|reconsider\w*|alternatively|hmm|"
    r"unless|if|would|rather|reflection|second thought)\b"
)
_COURTESY = re.compile(r"\b(please )?let me know if [^.!?]*[.!?]?")
_NOTHING = ("", ",", ";", ".", "```", "}")
_LONGEST_AFTER = 300
_FEWEST_WORDS = 3


def introduces(words: str) -> bool:
    """Whether words before an object lead up to an answer: their last line announces it, or ends a sentence."""
    if not words.strip():
        return True
    lines = [line.strip().strip("*_#> ").lower() for line in words.strip().splitlines()]
    last, quoting = lines[-1], any(line.endswith(":") and _QUOTES.search(line) for line in lines)
    if quoting or "{" in words or has_marks(words) or _QUOTES.search(last):
        return False
    if last.endswith(":"):
        return _ANNOUNCES.search(last) is not None and not _DATA.search(last)
    ends = last.endswith((".", "!")) or _ANNOUNCES.fullmatch(last.split(" ")[-1]) is not None
    apart = re.search(r"\n[ \t]*\n[ \t]*\Z", words) is not None and not _DATA.search(last)
    return (ends and words.rstrip(" \t").endswith("\n")) or apart


def concludes(words: str) -> bool:
    """Whether words after an object are no more than a closing remark."""
    said = _COURTESY.sub("", words.strip().lower())
    if words.strip() in _NOTHING:
        return True
    if "{" in words or "`" in words or len(words) > _LONGEST_AFTER or has_marks(words):
        return False
    is_sentence = len(words.split()) >= _FEWEST_WORDS and words.strip()[0].isupper()
    return is_sentence and not _DOUBTS.search(said) and not _QUOTES.search(said)
