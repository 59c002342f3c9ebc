"""What the images ship beside Aura itself: licences, bills of materials, known vulnerabilities (`make audit`, `make sbom`)."""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LICENCES = ROOT / "requirements/licences.json"
IMAGES = ("operator", "planner", "replayer")
TARGET = "x86_64-unknown-linux-gnu"
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)
UNCHECKED = 3
"""Exit code when there is no advisory database to look into."""


def run(*argv: str | Path, cwd: Path = ROOT) -> str:
    """Standard output of a program that must succeed."""
    return subprocess.run([str(one) for one in argv], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def pins(image: str) -> dict[str, str]:
    """Versions of the Python packages of an image, by name."""
    return dict(PIN.findall((ROOT / f"requirements/{image}.txt").read_text(encoding="utf-8")))


def crates() -> list[dict[str, Any]]:
    """The packages that are linked into the executor, as `cargo metadata` describes them; not those of builds and tests."""
    text = run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET, cwd=ROOT / "executor")
    found = json.loads(text)
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    reached: set[str] = set()
    waiting = [found["resolve"]["root"]]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += [dep["pkg"] for dep in nodes[one]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    linked = [package for package in found["packages"] if package["id"] in reached - {found["resolve"]["root"]}]
    return sorted(linked, key=lambda package: (package["name"], package["version"]))


def licences(tools: Path, python: Path) -> int:
    """Write licences.json: every shipped package with version, licence and, of Python's, the images that have it."""
    found: dict[str, list[str]] = {}
    for image in IMAGES:
        for name in pins(image):
            found.setdefault(name, []).append(image)
    text = run(tools / "pip-licenses", "--python", python, "--from=mixed", "--format=json", "--packages", *found)
    told = {re.sub(r"[-_.]+", "-", item["Name"]).lower(): item for item in json.loads(text)}
    # Packages of other systems are pinned too, and are not installed here.
    listed = {
        "python": [
            {"name": name, "version": told[name]["Version"], "licence": told[name]["License"].splitlines()[0], "images": images}
            for name, images in sorted(found.items())
            if name in told
        ],
        "rust": [{"name": one["name"], "version": one["version"], "licence": one["license"]} for one in crates()],
    }
    LICENCES.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    print(f"{LICENCES.relative_to(ROOT)}: {len(listed['python'])} Python packages, {len(listed['rust'])} crates")
    return 0


def sbom(tools: Path, folder: Path) -> int:
    """Write a CycloneDX bill of materials for each image into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in IMAGES:
        argv = ("requirements", f"requirements/{image}.txt", "--output-format", "JSON", "--output-reproducible")
        run(tools / "cyclonedx-py", *argv, "--output-file", folder / f"{image}.cdx.json")
    (folder / "executor.cdx.json").write_text(json.dumps(_rust_bom(), indent=1) + "\n", encoding="utf-8")
    print(f"{folder}: {', '.join(sorted(path.name for path in folder.glob('*.cdx.json')))}")
    return 0


def _rust_bom() -> dict[str, Any]:
    hashes = _checksums()
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:cargo/{one['name']}@{one['version']}",
            "name": one["name"],
            "version": one["version"],
            "purl": f"pkg:cargo/{one['name']}@{one['version']}",
            "licenses": [{"expression": one["license"].replace("/", " OR ").replace("  ", " ")}],
            "hashes": [{"alg": "SHA-256", "content": hashes[one["name"], one["version"]]}],
        }
        for one in crates()
    ]
    about = {"component": {"type": "application", "bom-ref": "aura-executor", "name": "aura-executor"}}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": about, "components": components}


def _checksums() -> dict[tuple[str, str], str]:
    text = (ROOT / "executor/Cargo.lock").read_text(encoding="utf-8")
    found = re.findall(r'name = "(.+)"\nversion = "(.+)"\nsource = .*\nchecksum = "(.+)"', text)
    return {(name, version): checksum for name, version, checksum in found}


def vulnerabilities(tools: Path) -> int:
    """Say which shipped versions have known vulnerabilities: 1 when there are any, 3 when nothing could be looked up."""
    known, unchecked = [], 0
    total = 0
    for image in IMAGES:
        for package in _audited(tools, image):
            total += 1
            unchecked += "skip_reason" in package
            known += [f"{package['name']} {package['version']}: {one['id']} ({image})" for one in package.get("vulns", [])]
    crates_known, crates_told = _cargo_audit()
    print("\n".join([*known, *crates_known, f"Python: {total - unchecked} of {total} pins looked up, {len(known)} vulnerable"]))
    print(f"Rust: {crates_told}")
    if known or crates_known:
        return 1
    if unchecked or "not looked up" in crates_told:
        print(
            "audit: not everything was looked up, since no advisory database answers; try again where one does", file=sys.stderr
        )
        return UNCHECKED
    return 0


def _audited(tools: Path, image: str) -> Iterator[dict[str, Any]]:
    argv = [str(tools / "pip-audit"), "--disable-pip", "--require-hashes", "--format", "json"]
    done = subprocess.run([*argv, "-r", f"requirements/{image}.txt"], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        yield from json.loads(done.stdout)["dependencies"]
    except ValueError:
        # It ends so when no server answers at all.
        yield from ({"name": name, "version": version, "skip_reason": "no answer"} for name, version in pins(image).items())


def _cargo_audit() -> tuple[list[str], str]:
    argv = ["cargo", "audit", "--json", "--file", "executor/Cargo.lock"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["vulnerabilities"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return [], f"not looked up ({last}); needs cargo install cargo-audit and its database"
    lines = [f"{one['package']['name']} {one['package']['version']}: {one['advisory']['id']}" for one in found["list"]]
    return lines, f"{found['count']} vulnerable"


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["licences", "sbom", "vulnerabilities"])
    parser.add_argument("--tools", type=Path, required=True, help="folder of pip-licenses, cyclonedx-py and pip-audit")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="where the shipped packages are installed")
    parser.add_argument("--out", type=Path, default=ROOT / "sbom", help="folder of the bills of materials")
    options = parser.parse_args()
    if options.what == "licences":
        return licences(options.tools, options.python)
    return sbom(options.tools, options.out) if options.what == "sbom" else vulnerabilities(options.tools)


if __name__ == "__main__":
    sys.exit(main())
