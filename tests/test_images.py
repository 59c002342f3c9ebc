"""What can be said of the images without building them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILES = ["operator/Dockerfile", "services/replayer/Dockerfile", "services/planner/Dockerfile", "executor/Dockerfile"]
TOOLS = "/bin/ /sbin/ /usr/bin /usr/sbin /usr/lib/apt /usr/lib/dpkg"


def pins(name):
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9._-]+(?:\[.*\])?==\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("image", ["build", "operator", "replayer", "planner"])
def test_image_has_the_versions_that_were_tested(image):
    assert pins(f"{image}.txt")
    assert pins(f"{image}.txt") <= pins("dev.txt"), "run make lock"


@pytest.mark.parametrize("file", DOCKERFILES)
def test_dockerfile_ends_as_a_user_by_number_and_in_one_program(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    final = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM ")) :]
    (user,) = [line.split()[1] for line in final if line.startswith("USER ")]
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user)
    # In the exec form the program itself is process 1 and gets the signals.
    (entry,) = [line for line in final if line.startswith("ENTRYPOINT ")]
    assert re.fullmatch(r'ENTRYPOINT \["aura-[a-z]+"\]', entry)
    assert all(":" in line.split()[1] for line in lines if line.startswith("FROM "))


@pytest.mark.parametrize("file", DOCKERFILES)
def test_the_last_step_takes_all_programs_out_but_python(file):
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", "")
    last = [line for line in text.splitlines() if line.startswith(("RUN ", "COPY ", "ADD "))][-1]
    kept = "" if file.startswith("executor") else " -not -name 'python3*'"
    assert last.endswith(f" find {TOOLS} -not -type d{kept} -not -name ldconfig -delete")
    assert ("-m pip uninstall" in last) is bool(kept)
