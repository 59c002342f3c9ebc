"""`aura sweep` as a whole, with real servers for each cell, and the sentences for what cannot be swept."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import ENVIRONMENT, Aura, children, eventually, group_alive
from test_run import FAST, write

from aura_contract.results import SweepResult

ROWS = 3000


def command(manifest: Path, *more: object) -> list[str]:
    return [sys.executable, "-m", "aura_cli", "sweep", str(manifest), "--servers", *map(str, more)]


def sweep(manifest: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(manifest, *more), capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False)


def test_a_failed_cell_does_not_stop_the_others_and_what_is_done_is_kept(tmp_path: Path) -> None:
    manifest, out = write(tmp_path, FAST, ROWS), tmp_path / "out"
    # The manifest's path to the log is relative, and so is --out.
    part = subprocess.run(
        command(Path("small.yaml"), "--capacity", "0.01%,20%", "--jobs", 2, "--out", "out"),
        capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert part.returncode == 3
    first, second = part.stderr.splitlines()
    assert first == "aura: 1 of 2 cells failed and the others are kept; run the same command again to repeat them"
    log = out / "0.01pct" / "seed-1" / "cell.log"
    assert second.startswith("aura: capacity 0.01%, seed 1: ")
    assert second.endswith(f"; see {log}")
    assert second[len("aura: capacity 0.01%, seed 1: ") : -len(f"; see {log}")] in log.read_text()
    assert "1 of 2: " in part.stdout
    assert re.search(r"; about \d+ s left\n2 of 2: capacity 20%, seed 1: \w+, [+-]\d+\.\d\d points \(\d+ s\)\n", part.stdout)
    assert "Capacity 0.01%: no cell ended" in part.stdout

    again = sweep(manifest, "--capacity", "20%", "--out", out)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("1 of 1 cells are there from before\n\nCapacity 20%, about ")
    assert not list(out.glob("cell*"))
    result = SweepResult.model_validate_json((out / "sweep.json").read_bytes())
    verdict = json.loads((out / "20pct" / "seed-1" / "verdict.json").read_text())
    (cell,) = result.cells
    assert (cell.verdict, cell.delta_points, cell.folder) == (verdict["verdict"], verdict["delta_points"], "20pct/seed-1")
    assert result.capacities[0].arms["aura"].hit_ratio.mean == pytest.approx(verdict["arms"]["aura"]["hit_ratio"], abs=1e-6)
    links = re.findall(r'<a href="([^"]+)"', (out / "sweep.html").read_text())
    assert [(out / link).is_file() for link in links] == [True]

    other = sweep(write(tmp_path, {**FAST, "window": 300}, ROWS), "--out", out)
    sentence = "holds a sweep of another manifest; choose another --out, or add --force to replace it"
    assert (other.returncode, other.stderr) == (2, f"aura: {out}: {sentence}\n")


def test_an_interrupted_sweep_stops_all_and_is_taken_up(tmp_path: Path) -> None:
    manifest, out = write(tmp_path, FAST, ROWS), tmp_path / "out"
    process = subprocess.Popen(
        command(manifest, "--seeds", 2, "--out", out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("1 of 2: capacity 10%, seed 1: ")
    parts: list[int] = []

    def at_work() -> bool:
        cells = [pid for pid, text in children(process.pid).items() if "aura_cli run" in text]
        parts[:] = [*cells, *(part for pid in cells for part in children(pid))]
        return len(parts) > 3

    assert eventually(at_work)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)

    assert process.returncode == 130
    assert err == (
        "aura: interrupted: the cells at work were stopped, and 1 of 2 are done; run the same command again to go on with the "
        f"rest in {out}\n"
    )
    assert eventually(lambda: not any(group_alive(pid) for pid in parts))
    rest = sweep(manifest, "--seeds", 2, "--out", out)
    assert rest.returncode == 0, rest.stderr
    assert rest.stdout.startswith("1 of 2 cells are there from before\n2 of 2: capacity 10%, seed 2: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--capacity", "5%,half"],
            "--capacity 5%,half: 'half' is neither a share above 0% and at most 100%, such as 5%, nor an amount of memory, such as 8Mi",
        ),
        (
            ["--capacity", "101%"],
            "--capacity 101%: '101%' is neither a share above 0% and at most 100%, such as 5%, nor an amount of memory, such as 8Mi",
        ),
        (["--capacity", "5"], "--capacity 5: 5 is too small; an arm needs at least 64Ki; a share is written with %, such as 5%"),
        (["--capacity", "5%,5.0%"], "--capacity 5%,5.0%: names 5.0% twice; each capacity is once in the grid"),
        (["--seeds", "0"], "--seeds 0: must be at least 1; it is the number of seeds, counted from spec.seed"),
        (["--jobs", "0"], "--jobs 0: must be at least 1; it is the number of cells that run at a time"),
        (["--out", "log.csv"], "{folder}/log.csv: is a file; choose another --out"),
        (["--out", "."], "{folder}: is not empty and holds no sweep; choose another --out, or add --force to use it"),
        (
            ["--out", "/proc/aura-sweep"],
            "/proc/aura-sweep: cannot be written: No such file or directory; free some space or choose another --out",
        ),
    ],
)
def test_what_cannot_be_swept(arguments: list[str], sentence: str, aura: Aura, tmp_path: Path) -> None:
    manifest = write(tmp_path, FAST, ROWS)
    assert aura("sweep", manifest, *arguments) == (2, "", f"aura: {sentence.format(folder=tmp_path)}\n")


def test_an_invalid_manifest_is_not_swept(aura: Aura, tmp_path: Path) -> None:
    manifest = write(tmp_path, {**FAST, "cache": "capacity: half"}, 3)
    code, _, err = aura("sweep", manifest, "--capacity", "5%")
    assert code == 2
    assert err.startswith(f"aura: {manifest}: spec.cache.capacity: 'half' is not a share")
    assert not (tmp_path / "runs").exists()


def test_servers_of_the_users_serve_one_cell_at_a_time(aura: Aura, tmp_path: Path) -> None:
    manifest = write(tmp_path, FAST, 3)
    manifest.write_text(manifest.read_text() + "  dependencies: {kafka: {external: {endpoint: '127.0.0.1:9'}}}\n")
    sentence = "--jobs 2: the manifest names servers of yours in dependencies, which one cell at a time can use; leave --jobs out"
    assert aura("sweep", manifest, "--servers", "--jobs", 2, "--capacity", "5%,10%") == (2, "", f"aura: {sentence}\n")
