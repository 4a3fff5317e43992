"""Memory that is available: what the machine has left, or less where a control group around the process has a limit."""

from __future__ import annotations

from pathlib import Path

from harness.models.engine.build import _left_to_groups, available_memory


def test_limits_of_all_groups_around_the_process_hold(tmp_path: Path) -> None:
    """What a group has of files counts as available, a group without a limit does not count."""
    membership, root = tmp_path / "cgroup", tmp_path / "groups"
    membership.write_text("1:memory:/old\n0::/pod/container\n")
    for folder, most in ((root / "pod", "1000"), (root / "pod" / "container", "max"), (root, "2000")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text("700\n")
        (folder / "memory.stat").write_text("anon 500\ninactive_file 100\n")
    assert sorted(_left_to_groups(membership, root)) == [400, 1400]
    (root / "pod" / "memory.current").write_text("1200\n")
    assert min(_left_to_groups(membership, root)) == 0
    assert list(_left_to_groups(tmp_path / "none", root)) == []
    assert available_memory() > 0
