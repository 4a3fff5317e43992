"""The language of a few sentences, roughly: by script, and by the commonest words of languages in Latin letters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

_MOST = 400
"""Characters that are looked at."""
_COMMON = {
    "English": "the i you to is and a for of what my please can in that do have would like want me it yes no",
    "German": "ich und der die das ist ein eine bitte nicht für mit wie zu den es mir kann ja nein möchte auf",
    "French": "je le la les un une est et pour vous de des que pas dans oui non merci s'il bonjour du au voudrais",
    "Spanish": "el la los un una es y para que de en por no sí quiero gracias hola me mi con del quisiera favor",
    "Italian": "il la un una è e per che di non sì vorrei grazie ciao mi con del in si sono",
    "Portuguese": "o a um uma é e para que de não sim quero obrigado obrigada olá me com do da em por favor",
    "Dutch": "ik de het een en is voor van niet ja nee graag wil met op dat je kan alsjeblieft te",
}
_SPOKEN: dict[str, list[str]] = {}
for _name, _words in _COMMON.items():
    for _word in _words.split():
        _SPOKEN.setdefault(_word, []).append(_name)
_SCRIPTS = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CYRILLIC": "in Cyrillic letters",
    "ARABIC": "in Arabic letters",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "DEVANAGARI": "in Devanagari letters",
    "THAI": "Thai",
}
_MARKS = str.maketrans("?,.!;:", "      ")
OTHER, NOTHING = "another language", "nothing said"


def language(texts: Sequence[str]) -> str:
    """Return the language of the texts in words; `another language` where no word of a known one is in them."""
    text = " ".join(texts)[:_MOST].lower()
    if not text.isascii():
        scripts = Counter(unicodedata.name(char, "?").split()[0] for char in text if char.isalpha())
        scripts.pop("LATIN", None)
        if scripts.get("HIRAGANA") or scripts.get("KATAKANA"):
            return "Japanese"
        if scripts and sum(scripts.values()) * 3 > sum(char.isalpha() for char in text):
            return _SCRIPTS.get(max(sorted(scripts), key=lambda script: scripts[script]), OTHER)
    words = text.translate(_MARKS).split()
    if not words:
        return NOTHING
    votes = Counter(name for word in words for name in _SPOKEN.get(word, ()))
    return max(_COMMON, key=lambda name: votes[name]) if votes else OTHER
