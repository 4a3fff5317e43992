"""The arithmetic of the engine: what it is started with, what a record says of it, and whose compiled code it runs."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from harness.errors import EngineError, UsageError
from harness.hub.artifact import Artifact
from harness.models.engine import build
from harness.models.engine.arithmetic import CUDA, DEFAULT, Arithmetic, processor_has_bfloat16, recorded_arithmetic
from harness.models.engine.build import fast_arithmetic, is_cpu_build
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.environment import compile_caches
from harness.models.engine.server import EngineOptions, command_line

on_cpu = pytest.mark.skipif(not is_cpu_build(), reason="is about the CPU build of vLLM")
FAST = Arithmetic(dtype="bfloat16", compiled=True, split_attention=True)
USUAL = ["--kv-cache-memory-bytes", "1", "--enforce-eager", "--block-size", "32", "--dtype", "float32"]


def started(options: EngineOptions) -> tuple[list[str], dict[str, str]]:
    artifact = Artifact.parse(f"me/a@{'a' * 40}", "model")
    checkpoint = Checkpoint(artifact=artifact, folder=Path("weights"), config={}, base_model=None)
    return command_line(checkpoint, options, 1)


@on_cpu
def test_without_a_wish_the_engine_computes_in_float32_eagerly_and_splits_no_attention() -> None:
    arguments, environment = started(EngineOptions())
    recorded, _ = build.default_settings(0)  # compared with those of earlier runs
    assert [recorded[0], *recorded[2:]] == [USUAL[0], *USUAL[2:]]
    assert " ".join(recorded) in " ".join(arguments)
    assert environment["VLLM_CPU_ATTN_SPLIT_KV"] == "0"
    assert "VLLM_CACHE_ROOT" not in environment


@on_cpu
def test_what_is_said_of_an_arithmetic_is_what_the_engine_is_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for one in (FAST, Arithmetic(compiled=True), Arithmetic(split_attention=True), Arithmetic(dtype="bfloat16")):
        arguments, environment = started(EngineOptions(arithmetic=one))
        dtype, compiled, attention = str(one).split(", ")
        assert arguments[arguments.index("--dtype") + 1] == dtype
        assert ("--enforce-eager" in arguments) == (compiled == "not compiled")
        assert environment["VLLM_CPU_ATTN_SPLIT_KV"] == ("1" if attention == "attention split" else "0")
        assert ("VLLM_CACHE_ROOT" in environment) == one.compiled


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, DEFAULT),
        ({"engine_args": [], "engine_defaults": USUAL}, DEFAULT),
        ({"engine_args": ["--max-num-seqs", "8"], "engine_defaults": USUAL}, DEFAULT),
        ({"engine_args": ["--dtype", "float32", "--enforce-eager"], "engine_defaults": USUAL}, DEFAULT),
        ({"engine_args": ["--max-num-seqs", "8"], "engine_defaults": []}, CUDA),
        ({"engine_args": ["--dtype", "float32"], "engine_defaults": []}, "dtype float32"),
        ({"engine_args": ["--dtype", "bfloat16", "--seed", "1"], "engine_defaults": USUAL}, "dtype bfloat16"),
        ({"engine_args": ["--kv_cache_dtype=fp8", "--no-enforce-eager"]}, "kv-cache-dtype fp8, no-enforce-eager"),
        ({"engine_args": ["--compilation-config.mode", "0"]}, "compilation-config.mode 0"),
        ({"arithmetic": "bfloat16, compiled", "engine_defaults": USUAL}, "bfloat16, compiled"),
    ],
)
def test_a_record_without_the_field_means_the_default_and_what_its_engine_arguments_change(
    config: dict[str, Any], expected: str
) -> None:
    assert recorded_arithmetic(config) == expected


@on_cpu
def test_what_is_fast_here_is_said_with_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fast_arithmetic((), adapters=False)
    assert found == Arithmetic(
        dtype="bfloat16" if processor_has_bfloat16() else "float32", compiled=build._can_compile(), split_attention=True
    )
    said = " ".join(capsys.readouterr().err.split())
    assert f"--fast: the engine computes in {found}" in said
    assert ("no instructions for bfloat16" in said) != processor_has_bfloat16()
    adapters = fast_arithmetic((), adapters=True)
    assert adapters is not None
    assert not adapters.compiled
    assert "compiles no model with adapters" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("CXX", "no-such-compiler")
    without = fast_arithmetic((), adapters=False)
    assert without is not None
    assert not without.compiled
    assert "install a C++ compiler" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("word", ["--dtype", "--no-enforce-eager", "--compilation-config", "--kv_cache_dtype"])
def test_two_who_choose_the_arithmetic_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="leave one of them out"):
        fast_arithmetic(("--max-num-seqs", "8", word, "x"), adapters=False)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads the flags of an x86 processor")
def test_bfloat16_is_what_the_processor_says() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    assert processor_has_bfloat16() == ("avx512_bf16" in flags or "amx_bf16" in flags)


def test_compiled_code_is_kept_where_nobody_else_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = {Path(value) for value in compile_caches(None).values()}
    assert len(folders) == 3
    root = tmp_path / "tft" / "engine"
    assert all(folder.is_relative_to(root) for folder in folders)
    assert root.stat().st_mode & 0o077 == 0
    apart = {Path(value) for value in compile_caches("someone/with-code@" + "a" * 40).values()}
    assert not {folder.parent for folder in apart} & {folder.parent for folder in folders}
    root.chmod(0o770)
    with pytest.raises(EngineError, match="nobody else can write"):
        compile_caches(None)
    root.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o700)
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="nobody else can write"):
        compile_caches(None)


def test_the_engine_keeps_connections_for_longer_than_its_clients() -> None:
    """One that it ends while a client takes it for the next request loses that request."""
    assert int(started(EngineOptions())[1]["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"]) > 60
