"""A model repository before it is loaded: a causal LM, with safe weights, without code of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.hub.artifact import README, Artifact
from harness.hub.client import Hub
from harness.models.engine.guard import Guard
from harness.models.engine.guard_child import shown
from harness.models.engine.model_files import CONTEXT_KEYS, check_files, read_head

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
WEIGHTS_AND_TOKENIZER = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.safetensors", "chat_templates/*")
"""The files of a model's repository that are read."""
_CAUSAL = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A pulled model: its commit, the local folder and its configuration."""

    artifact: Artifact
    folder: Path
    config: dict[str, Any]
    base_model: str | None
    weights: int = 0
    """Bytes of its weights."""

    @property
    def context(self) -> int | None:
        """Longest sequence in tokens that the configuration states, or None."""
        nested = self.config.get("text_config")
        for config in (self.config, nested if isinstance(nested, dict) else {}):
            for key in CONTEXT_KEYS:
                if isinstance(config.get(key), int):
                    return int(config[key])
        return None


def pull_checkpoint(hub: Hub, artifact: Artifact, *, trust_remote_code: bool = False) -> Checkpoint:
    """Check the repository by its file list and configuration, then download what serving needs.

    Raises ModelError where it is not a causal LM, has pickled weights only, or needs remote code.
    """
    name, files = artifact.repo_id, hub.files(artifact)
    check_listing(name, files)
    with Guard(name) as guard:
        guard.start()
        head = guard.call(read_head, hub.pull(artifact, ["config.json", README]), name)
        check_config(name, head["config"], files, trust_remote_code=trust_remote_code)
        patterns = [*WEIGHTS_AND_TOKENIZER, README, *(["*.py"] if trust_remote_code else [])]
        folder = hub.pull(artifact, patterns)
        weights = guard.call(check_files, folder, name)["bytes"]
    return Checkpoint(artifact=artifact, folder=folder, weights=weights, **head)


def check_listing(name: str, files: Sequence[str]) -> None:
    """Raise ModelError where these files are no transformers model with safe weights."""
    top = [file for file in files if "/" not in file]
    if "config.json" not in top:
        if "adapter_config.json" in top:
            raise ModelError(
                f"{name} holds an adapter without its base model; evaluate it on that one "
                f"(tft evaluate BASE --adapters {name}), or give the merged weights"
            )
        raise ModelError(f"{name} has no config.json, so it is not a transformers model; give the id of a causal LM")
    if not any(file.endswith(".safetensors") for file in top):
        pickled = [file for file in top if file.endswith(_PICKLES)]
        if pickled:
            raise ModelError(
                f"{name} has pickled weights only ({', '.join(pickled[:3])}), which can run code when loaded; "
                "convert them to safetensors (model.save_pretrained writes them) and push again"
            )
        raise ModelError(f"{name} has no *.safetensors file at its top level; push the weights as safetensors")


def check_config(name: str, config: dict[str, Any], files: Sequence[str], *, trust_remote_code: bool = False) -> None:
    """Raise ModelError where a configuration is no causal language model's, or wants to run code of `files`."""
    if config.get("auto_map") and not trust_remote_code:
        code = [file for file in files if file.endswith(".py")]
        raise ModelError(
            f"{name} wants to run its own code ({', '.join(code[:3]) or 'auto_map in config.json'}); "
            "read that code, and add --trust-remote-code if you trust it"
        )
    named = config.get("architectures") or []
    architectures = named if isinstance(named, list) else [named]
    if not any(isinstance(one, str) and one.endswith(_CAUSAL) for one in architectures):
        found = shown(ValueError(", ".join(map(str, architectures)) or "no architecture"))
        raise ModelError(
            f"{name} is not a causal language model (config.json names {found}); give a text-generation model"
        )
