"""tft-harness: an evaluation-first harness built around Hugging Face Hub artifacts."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tft-harness")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
