"""How processes of ours are started: their command line, their environment, and what that makes of `sys.path`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tasks import launch


def test_the_current_folder_is_none_of_the_users_folders(tmp_path: Path) -> None:
    named = os.pathsep.join(["", ".", str(tmp_path), "lib"])
    assert launch.user_folders(named) == [str(tmp_path), str(Path("lib").absolute())]


def test_the_environment_loses_python_path_and_the_users_celery_project() -> None:
    made = launch.environment({"PYTHONPATH": "/lib", "CELERY_BROKER_URL": "redis://elsewhere", "HOME": "/home/me"})
    assert made == {"HOME": "/home/me", "PYTHONSAFEPATH": "1", launch.USER_PATH: "/lib"}
    assert launch.environment(made) == made  # handed on by a process that was started so


def test_what_python_path_names_comes_last(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text("import sys\ndef main():\n    print(sys.path[-1], sys.argv)\n    return 7\n")
    done = subprocess.run(
        launch.command("shown", "one", "two"),
        env=launch.environment({**os.environ, "PYTHONPATH": str(tmp_path)}),
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{tmp_path} ['shown', 'one', 'two']\n", done.stderr
    assert done.returncode == 7
    assert done.args[:2] == [sys.executable, "-P"]


def test_every_process_of_ours_starts_through_launch(repository: Path) -> None:
    """A benchmark's script, whose environment is made by hand, is the one exception."""
    starts = [
        file.relative_to(repository).as_posix()
        for package in ("hummingsweep", "orchestrator", "tasks")
        for file in (repository / package).rglob("*.py")
        if "sys.executable" in file.read_text()
    ]
    commands = ["orchestrator/commands/bench.py", "orchestrator/commands/cluster.py", "tasks/launch.py"]
    assert sorted(starts) == commands  # `cluster` names the program for execve, with the command line of `launch`
