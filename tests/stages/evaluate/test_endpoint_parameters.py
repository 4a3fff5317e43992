"""Models that do not take what others take are evaluated, and what they were asked instead is in the record."""

from __future__ import annotations

from typing import Any

from harness.evaluation.report_json import read_report


def _refuses(request: dict[str, Any]) -> str | None:
    """Refuse as models that think do."""
    if "temperature" in request:
        return "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
    if "max_tokens" in request:
        return "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    return "tool_choice required is not supported" if request["tool_choice"] == "required" else None


def test_a_model_that_thinks_is_evaluated_and_the_report_says_how_it_was_asked(terminal: Any, endpoint: Any) -> None:
    """A storm of questions does not find it out a second time, nor does a later run; a resumed one says it too."""
    endpoint.refuses = _refuses
    command = ["evaluate", "openai:counting-model", "--base-url", endpoint.url, "--dataset", "ada/sample", "--no-push"]
    done = terminal(*command, "--out", "run", "--concurrency", "16").worked()
    assert len(endpoint.requests) == 30 + 3
    otherwise = "without a temperature, with tool_choice auto in place of required"
    assert f"asked {otherwise}" in done.err
    assert f"The model was asked {otherwise}" in " ".join(done.out.split())
    terminal(*command, "--out", "run", "--resume").worked()
    config = read_report(terminal.folder / "run" / "report.json").run.config
    assert config["sent_otherwise"] == otherwise.split(", ")
    assert (config["temperature"], config["tool_choice"]) == (None, "auto")
    terminal(*command, "--out", "second").worked()
    assert len(endpoint.requests) == 30 + 3


def test_the_endpoints_file_leaves_out_what_a_model_does_not_take(terminal: Any, endpoint: Any) -> None:
    endpoint.refuses = _refuses
    (terminal.folder / "endpoints.yaml").write_text(
        f"counting-model:\n  base_url: {endpoint.url}\n"
        "  parameters: {temperature: null, max_tokens: null, tool_choice: auto, reasoning_effort: low}\n"
    )
    command = ["evaluate", "openai:counting-model", "--endpoints", "endpoints.yaml", "--dataset", "ada/sample"]
    terminal(*command, "--no-push", "--out", "run", "--limit", "4").worked()
    assert len(endpoint.requests) == 4
    assert {request["reasoning_effort"] for request in endpoint.requests} == {"low"}
    config = read_report(terminal.folder / "run" / "report.json").run.config
    assert (config["temperature"], config["tool_choice"]) == (None, "auto")
    assert config["parameters"]["reasoning_effort"] == "low"
    assert "sent_otherwise" not in config
