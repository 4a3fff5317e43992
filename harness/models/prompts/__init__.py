"""Prompts as token ids: a conversation prefix through the model's own chat template.

    calendar.py  The day that a chat template takes for today, and templates that are fixed to one day
    choose_form.py   Which form a chat template renders without leaving anything out
    form.py      The forms in which conversations can be handed to a chat template, and the system message
    make_prompts.py  All prompts of a test set, made in the guarded child process
    probe.py     Conversations of unique words, and which of them a rendering leaves out
    renderer.py  Rendering with one tokenizer for one task, in one form
    thinking.py  What a chat template can be told about thinking, found out by rendering it

Rendering here, and not in the server, fixes exactly what is sent: it is hashed, logged, and can be
compared token by token with what training saw.
"""

from harness.models.prompts.calendar import Calendar, fix_day, may_ask_for_day
from harness.models.prompts.choose_form import fitting_renderer, whole_renderer
from harness.models.prompts.form import (
    LEFT_OUT,
    NATIVE,
    Form,
    form_notes,
    system_message,
    system_template,
    with_tools_in_text,
)
from harness.models.prompts.renderer import Prompt, Renderer, load_tokenizer

__all__ = [
    "LEFT_OUT",
    "NATIVE",
    "Calendar",
    "Form",
    "Prompt",
    "Renderer",
    "fitting_renderer",
    "fix_day",
    "form_notes",
    "load_tokenizer",
    "may_ask_for_day",
    "system_message",
    "system_template",
    "whole_renderer",
    "with_tools_in_text",
]
