"""The file of endpoints and the file of roles: what they may say, and the line of what they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli import _model_options as options
from harness.errors import DataError, HarnessError, UsageError
from harness.models.chat.budget import Price
from harness.models.chat.chat_models import ChatModels, ChatSettings
from harness.models.chat.endpoints import Address, Endpoints, Limits
from harness.models.names import ModelName
from harness.models.roles import PUBLISHED, RULES, Roles
from harness.stages._requests import InferenceOptions

FULL = """
vendor.model-1:
  base_url: https://host/v1
  key_variable: HOST_KEY
  model: model-1-instruct
  price: {input: 0.15, output: 0.6}
  limits:
    concurrency: 8
    requests_per_minute: 60
    tokens_per_minute: 100000
    max_tokens: 4096
    timeout: 90.5
    context: 131072
plain: {base_url: 'http://127.0.0.1:8000/v1'}
"""
OTHER = "other: {base_url: 'https://host/v1', limits: {requests_per_minute: 60}}\n"


def address(path: Path, text: str, model: str = "plain") -> Address:
    path.write_text(text)
    return Endpoints(file=path).address(ModelName.parse(f"openai:{model}"))


def test_an_entry_says_where_what_it_costs_and_how_much_it_takes(tmp_path: Path) -> None:
    found = address(tmp_path / "endpoints.yaml", FULL, "vendor.model-1")
    assert (found.model, found.base_url, found.key_variable) == ("model-1-instruct", "https://host/v1", "HOST_KEY")
    assert found.price == Price(input=0.15, output=0.6)
    assert found.limits == Limits(
        concurrency=8,
        requests_per_minute=60,
        tokens_per_minute=100_000,
        max_tokens=4096,
        timeout=90.5,
        context=131_072,
    )
    plain = address(tmp_path / "endpoints.yaml", FULL)
    assert (plain.price, plain.limits, plain.model) == (None, Limits(), "plain")


@pytest.mark.parametrize(
    ("entry", "line", "words"),
    [
        ("plain:\n  base_url: https://host/v1\n  key: abc", 3, "unknown key 'key'"),
        ("plain:\n  base_url: https://host/v1\n  price: {input: 1}", 3, "input and output"),
        ("plain:\n  base_url: https://host/v1\n  price:\n    input: 1\n    output: cheap", 5, "a number (input and"),
        ("plain:\n  base_url: https://host/v1\n  price:\n    input: -1\n    output: 1", 4, "got -1"),
        ("plain:\n  base_url: https://host/v1\n  price:", 1, "price has no value"),
        ("plain:\n  base_url: https://host/v1\n  limits:\n    concurrency:", 3, "concurrency has no value"),
        ("plain:\n  base_url: ''", 2, "not empty; expected YAML"),
        ("plain:\n  base_url: https://host/v1\n  price: {input: .nan, output: 1}", 3, "nan"),
        ("plain:\n  base_url: https://host/v1\n  limits: {concurency: 1}", 3, "'concurency'"),
        ("plain:\n  base_url: https://host/v1\n  limits:\n    concurrency: 0", 4, "greater than 0"),
        ("plain:\n  base_url: https://host/v1\n  limits:\n    max_tokens: 1.5", 4, "whole number"),
        ("plain:\n  base_url: https://host/v1\n  limits:\n    timeout: true", 4, "seconds"),
        ("plain:\n  base_url: https://host/v1\n  limits: [1]", 3, "should be a mapping"),
        ("plain:\n  base_url: https://host/v1\nplain:\n  base_url: https://other/v1", 3, "second time"),
        ("plain:\n  model: x", 1, "no base_url"),
        ("plain: https://host/v1", 1, "should be a mapping"),
        ("plain:\n  base_url: 7", 2, "should be a text"),
        ("plain:\n  base_url: ftp://host/v1", 2, "plain"),
    ],
)
def test_what_an_entry_may_not_say_is_named_with_its_line(tmp_path: Path, entry: str, line: int, words: str) -> None:
    with pytest.raises(HarnessError) as raised:
        address(tmp_path / "endpoints.yaml", entry)
    assert f"endpoints.yaml, line {line}" in str(raised.value)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "entry",
    [
        "plain:\n  base_url: [https://user:sesame-open@host/v1]",
        "plain:\n  base_url: https://host/v1\n  key_variable: [sesame-open]",
        "plain:\n  base_url: https://host/v1\n  price: sesame-open",
    ],
)
def test_what_stands_in_a_wrong_place_may_be_a_secret_and_is_not_repeated(tmp_path: Path, entry: str) -> None:
    with pytest.raises(HarnessError) as raised:
        address(tmp_path / "endpoints.yaml", entry)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "- x", "a: &a {b: *a}"])
def test_what_is_no_file_of_endpoints_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"base_url: https://host/v1|line 1") as raised:
        address(tmp_path / "endpoints.yaml", text)
    assert "\n" not in str(raised.value)


def test_roles_are_named_or_read_and_single_ones_replaced(tmp_path: Path) -> None:
    assert Roles.named("rules") is RULES
    assert Roles.named("published") is PUBLISHED
    file = tmp_path / "models.yaml"
    file.write_text("judge: rules:judge\nteacher: openai:T\ncommittee: [openai:A, me/b@v1]\narbiter: openai:T\n")
    read = Roles.named(str(file))
    assert (read.filter, read.committee) == ("openai:T", ("openai:A", "me/b@v1"))
    changed = RULES.changed(teacher="openai:T", committee=("openai:A",), arbiter="me/c")
    assert (changed.teacher, changed.filter, changed.committee, changed.arbiter) == (
        *("openai:T", "openai:T", ("openai:A",)),
        "me/c",
    )
    with pytest.raises(UsageError, match="named twice"):
        RULES.changed(committee=("openai:A", "openai:A"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("judge: rules:judge", "has no teacher, no committee, no arbiter"),
        ("judge: a\nteacher: b\narbiter: c\ncommittee: d", "line 4"),
        ("judge: a\nteacher: b\narbiter: c\ncommittee: [d, d]", "line 4"),
        ("judge: a\nteacher: [b]\narbiter: c\ncommittee: [d]", "line 2"),
        ("judge: a\nteacher: nobody:b\narbiter: c\ncommittee: [d]", "line 2.*unknown backend"),
        ("judge: a\nteacher: b\narbiter: replay:x\ncommittee: [d]", "line 3"),
        ("judge: a\nstudent: b\narbiter: c\ncommittee: [d]", "line 2.*'student'"),
    ],
)
def test_a_file_of_roles_that_is_not_as_expected_is_said(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        Roles.named(str(file))
    with pytest.raises(UsageError, match="rules, published"):
        Roles.named(str(tmp_path / "missing.yaml"))


def chosen(*arguments: str) -> Any:
    """What the options of the pipeline's verbs say: how models are asked, and all others."""
    command = options.roles(options.teacher, options.committee, options.arbiter)(click.command()(lambda **_: None))
    said = command.make_context("verb", list(arguments)).params
    return options.inference_options(said).settings(), said


def test_options_say_who_plays_which_role_and_how_models_are_asked(tmp_path: Path) -> None:
    asking, said = chosen()
    assert (asking.budget, said["models"]) == (None, "rules")
    asking, said = chosen(
        *("--models", "published", "--committee", "openai:A", "--committee", "openai:B", "--arbiter", "me/c"),
        *("--budget", "2.5", "--concurrency", "3", "--cache", str(tmp_path), "--engine-arg", "dtype=bfloat16"),
        *("--base-url", "http://127.0.0.1:9/v1", "--dry-run", "--max-tokens", "99", "--timeout", "7"),
    )
    roles = ("published", None, ("openai:A", "openai:B"), "me/c")
    assert tuple(said[name] for name in ("models", "teacher", "committee", "arbiter")) == roles
    assert said["dry_run"]
    assert asking.budget is not None
    assert (asking.budget.limit, asking.concurrency, asking.timeout, asking.max_tokens) == (2.5, 3, 7, 99)
    assert (asking.engine_args, asking.cache) == (("--dtype", "bfloat16"), tmp_path)


def test_all_that_ask_a_model_at_one_address_share_its_limits_per_minute(tmp_path: Path) -> None:
    """The evaluated model and its judge too, whose settings are made apart."""
    (tmp_path / "endpoints.yaml").write_text(FULL + OTHER)
    evaluated = InferenceOptions(endpoints=tmp_path / "endpoints.yaml").settings(direct=True)
    judging = InferenceOptions(endpoints=tmp_path / "endpoints.yaml", max_tokens=9).settings(evaluated)
    first, *others = [
        ChatModels(settings).model(f"openai:{model}").endpoint(missing=True).rates
        for settings in (evaluated, judging)
        for model in ("vendor.model-1", "other", "plain")
    ]
    assert first is not None
    assert others[2] is first
    assert others[0] is others[3] is not first
    assert others[1] is others[4] is None


def test_limits_bound_what_the_options_ask_for(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.yaml"
    file.write_text(FULL)
    models = ChatModels(ChatSettings(endpoints=Endpoints(file=file), concurrency=100, max_tokens=9999))
    model = models.model("openai:vendor.model-1")
    assert model is models.model("openai:vendor.model-1")
    endpoint = model.endpoint(missing=True)
    assert (endpoint.concurrency, endpoint.timeout, model.room(100)) == (8, 90.5, 4096)
    plain = ChatModels(ChatSettings(endpoints=Endpoints(file=file))).model("openai:plain")
    assert (plain.endpoint(missing=True).concurrency, plain.endpoint(missing=True).timeout) == (32, 120)
    assert plain.room(100) == 100
    with pytest.raises(UsageError, match="cannot be asked"):
        models.model("rules:teacher")
    with pytest.raises(UsageError, match="cannot be asked"):
        models.model("me/model-on-a-hub")
