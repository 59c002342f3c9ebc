"""The images as they were built: each starts without a shell and without any tool of Debian's, since it has none."""

import subprocess

import pytest
from cluster import run
from installation import OWN, Options, images

PROGRAMS = ("sh", "dash", "bash", "rbash", "perl", "apt-get", "dpkg", "cat", "env", "tar", "pip", "su", "mount")
ALONE = ("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
NOT_FOUND = 127


@pytest.mark.parametrize("image", OWN)
def test_an_image_starts_and_has_no_shell(options: Options, image: str) -> None:
    name = images(options)[image]
    assert "usage" in run(*ALONE, name, "--help").lower()
    for program in PROGRAMS:
        command = (*ALONE, "--entrypoint", program, name, "--version")
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == NOT_FOUND, program
