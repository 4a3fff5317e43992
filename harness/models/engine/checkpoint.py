"""A model repository before it is loaded: is it a causal LM, with safe weights, that needs no code of its own?"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.hub.artifact import README, Artifact
from harness.hub.client import Hub

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_PATTERNS = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.safetensors", "chat_templates/*")
_CAUSAL = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_METADATA = re.compile(r"\s*---[\r\n]+(.*?)[\r\n]+---[ \t]*(?:\r?\n|$)", re.DOTALL)
"""The YAML at the head of a card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A pulled model: its commit, the local folder and its configuration."""

    artifact: Artifact
    folder: Path
    config: dict[str, Any]
    base_model: str | None

    @property
    def context(self) -> int | None:
        """Longest sequence in tokens that the configuration states, or None."""
        nested = self.config.get("text_config")
        for config in (self.config, nested if isinstance(nested, dict) else {}):
            for key in _CONTEXT_KEYS:
                if isinstance(config.get(key), int):
                    return int(config[key])
        return None


def pull_checkpoint(hub: Hub, artifact: Artifact, *, trust_remote_code: bool = False) -> Checkpoint:
    """Check the repository by its file list and configuration, then download what serving needs.

    Raises ModelError where it is no causal LM, has pickled weights only, or needs remote code.
    """
    files = hub.files(artifact)
    _check_files(artifact.repo_id, files)
    small = hub.pull(artifact, ["config.json", README])
    config = _read_config(artifact.repo_id, small / "config.json")
    _check_config(artifact.repo_id, config, files, trust_remote_code=trust_remote_code)
    patterns = [*_PATTERNS, README, *(["*.py"] if trust_remote_code else [])]
    folder = hub.pull(artifact, patterns)
    return Checkpoint(artifact=artifact, folder=folder, config=config, base_model=_base_model(folder / README))


def _check_files(name: str, files: Sequence[str]) -> None:
    top = [file for file in files if "/" not in file]
    if "config.json" not in top:
        if "adapter_config.json" in top:
            raise ModelError(
                f"{name} holds an adapter without its base model; evaluate it on that one "
                f"(tft evaluate BASE --adapters {name}), or give the merged weights"
            )
        raise ModelError(f"{name} has no config.json, so it is no transformers model; give the id of a causal LM")
    if not any(file.endswith(".safetensors") for file in top):
        pickled = [file for file in top if file.endswith(_PICKLES)]
        if pickled:
            raise ModelError(
                f"{name} has pickled weights only ({', '.join(pickled[:3])}), which can run code when loaded; "
                "convert them to safetensors (model.save_pretrained writes them) and push again"
            )
        raise ModelError(f"{name} has no *.safetensors file at its top level; push the weights as safetensors")


def _read_config(name: str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"the config.json of {name} cannot be read ({error}); push it again") from error
    if not isinstance(config, dict):
        raise ModelError(f"the config.json of {name} is no JSON object; push it again")
    return config


def _check_config(name: str, config: dict[str, Any], files: Sequence[str], *, trust_remote_code: bool) -> None:
    if config.get("auto_map") and not trust_remote_code:
        code = [file for file in files if file.endswith(".py")]
        raise ModelError(
            f"{name} wants to run its own code ({', '.join(code[:3]) or 'auto_map in config.json'}); "
            "read that code, and add --trust-remote-code if you trust it"
        )
    architectures = config.get("architectures") or []
    if not any(str(architecture).endswith(_CAUSAL) for architecture in architectures):
        found = ", ".join(map(str, architectures)) or "no architecture"
        raise ModelError(
            f"{name} is no causal language model (config.json names {found}); give a text-generation model"
        )


def _base_model(card: Path) -> str | None:
    """Return the base model that the repository's own card names, if any."""
    import yaml

    if not card.is_file():
        return None
    try:
        head = _METADATA.match(card.read_text(encoding="utf-8"))
        metadata = yaml.safe_load(head[1]) if head else None
    except (ValueError, yaml.YAMLError):  # the owner's card is not ours to refuse the model for
        return None
    base = metadata.get("base_model") if isinstance(metadata, dict) else None
    first = base[0] if isinstance(base, list) and base else base
    return first if isinstance(first, str) else None
