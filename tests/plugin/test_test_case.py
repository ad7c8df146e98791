"""A test case under unittest, without pytest."""

from pathlib import Path

from tests.plugin.session import RED, session_process, three_lines


def test_unittest_runs_it_too(folder: Path) -> None:
    """Without pytest each violated claim is a failed subtest."""
    (folder / "test_leak.py").write_text(three_lines("TestLeak", RED))

    done = session_process(folder, "-m", "unittest", "test_leak", executable="python")

    assert 1 == done.code
    assert "(claim='context-ownership')" in done.out
    assert done.lines[-1].startswith("FAILED (failures=")
