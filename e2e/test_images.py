"""The images as they were built: the operator's and the executor's start without a shell, since they have none."""

import subprocess

import pytest
from cluster import run
from installation import Options, images

SHELLS = ("sh", "dash", "bash", "rbash")
ALONE = ("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
NOT_FOUND = 127


@pytest.mark.parametrize("image", ["operator", "executor"])
def test_an_image_starts_and_has_no_shell(options: Options, image: str) -> None:
    name = images(options)[image]
    assert "usage" in run(*ALONE, name, "--help").lower()
    for shell in SHELLS:
        done = subprocess.run((*ALONE, "--entrypoint", shell, name, "-c", "exit 0"), capture_output=True, timeout=60, check=False)
        assert done.returncode == NOT_FOUND, shell
