"""The sample task: a restaurant service that does not exist, for demonstrations and tests without downloads."""

from harness.sample.simulation import sample_conversations, sample_task
from harness.sample.testset import write_test_set

__all__ = ["sample_conversations", "sample_task", "write_test_set"]
