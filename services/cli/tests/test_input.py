"""What the user may get wrong before anything is started: the exact sentence and the exit code."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_helpers import Aura

from aura_cli.main import main
from aura_contract.manifest import load_manifest

EXAMPLES = Path(__file__).parents[3] / "examples"
MANIFEST = """\
apiVersion: aura.dev/v1alpha1
kind: AuraExperiment
metadata: {name: small}
spec:
  workload:
    source: {path: log.csv}
    columns: {user: user, item: item, action: action}
  cache: {capacity: 50%}
  planner: {backend: noop}
"""
BACKENDS = "'auto', 'ollama', 'openai', 'heuristic', 'bandit', 'ml', 'random', 'adversarial', 'noop' or 'recorded'"
LOG = "user,item,action\nu1,a,click\nu2,b,click\nu1,c,view\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "small.yaml").write_text(MANIFEST)
    return tmp_path / "small.yaml"


def change(manifest: Path, old: str, new: str) -> Path:
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))
    return manifest


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_valid(path: Path, aura: Aura) -> None:
    code, out, _ = aura("validate", path)
    assert code == 0
    assert out.startswith(f"valid: {load_manifest(path).metadata.name}: replays complete-journey through baseline and aura (")


def test_validate_says_what_will_be_run(manifest: Path, aura: Aura) -> None:
    assert aura("validate", manifest) == (0, "valid: small: replays log.csv through baseline and aura (noop), 50% each\n", "")


def test_a_missing_manifest(aura: Aura, tmp_path: Path) -> None:
    code, _, err = aura("run", tmp_path / "none.yaml")
    assert (code, err) == (2, f"aura: {tmp_path}/none.yaml: cannot be read: No such file or directory\n")


def test_a_manifest_that_is_a_folder(aura: Aura, tmp_path: Path) -> None:
    assert aura("run", tmp_path)[::2] == (2, f"aura: {tmp_path}: cannot be read: Is a directory\n")


def test_a_manifest_that_is_no_yaml(manifest: Path, aura: Aura) -> None:
    manifest.write_text("spec: [\n")
    code, _, err = aura("run", manifest)
    assert code == 2
    assert err.startswith(f"aura: {manifest}: is not valid YAML at line 2")


def test_an_invalid_manifest_has_a_line_for_each_problem(manifest: Path, aura: Aura) -> None:
    change(manifest, "backend: noop", "backend: gpt, stile: keys")
    change(manifest, "capacity: 50%", "capacity: half")
    code, _, err = aura("run", manifest)
    assert code == 2
    assert err.splitlines() == [
        f"aura: {manifest}: spec.cache.capacity: 'half' is not a share; write it like 5%, above 0% and at most 100% (got 'half')",
        f"aura: {manifest}: spec.planner.backend: input should be {BACKENDS} (got 'gpt')",
        f"aura: {manifest}: spec.planner.stile: is not a field of AuraExperiment; check its spelling",
    ]


def test_a_missing_log(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    (tmp_path / "log.csv").unlink()
    sentence = f"aura: {tmp_path}/log.csv: does not exist; check the path, which is relative to the manifest's folder\n"
    assert aura("run", manifest)[::2] == (2, sentence)


def test_an_unknown_column(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    change(manifest, "item: item", "item: product")
    sentence = f"aura: {tmp_path}/log.csv: has no column 'product' (item); its columns are 'user', 'item', 'action'\n"
    assert aura("run", manifest)[::2] == (2, sentence)


def test_a_bad_row(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG + "u3,d\n")
    sentence = "line 5 has 2 fields where the header has 3; correct it or skip such rows with --bad-rows skip"
    assert aura("run", manifest)[::2] == (2, f"aura: {tmp_path}/log.csv: {sentence}\n")


@pytest.mark.parametrize("text", ["", "user,item,action\n"], ids=["nothing", "header"])
def test_an_empty_log(text: str, manifest: Path, aura: Aura, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(text)
    code, _, err = aura("run", manifest)
    assert code == 2
    assert err.startswith(f"aura: {tmp_path}/log.csv: ")
    assert err.count("\n") == 1


def test_timestamps_without_a_time_column(manifest: Path, aura: Aura) -> None:
    change(manifest, "    columns:", "    clock: {timestamps: {speedup: 1}}\n    columns:")
    sentence = "spec.workload.clock.timestamps needs spec.workload.columns.time: name the log's time column"
    assert aura("run", manifest)[::2] == (2, f"aura: {sentence}\n")


def test_a_recording_that_is_not_there(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    change(manifest, "backend: noop", "backend: recorded, recording: old/plans.jsonl")
    sentence = f"{tmp_path}/old/plans.jsonl: no such file; planner.recording names the plans.jsonl of a run"
    assert aura("run", manifest)[::2] == (2, f"aura: {sentence}\n")


def test_a_model_that_was_not_trained_yet(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    change(manifest, "backend: noop", "backend: noop, modelFile: old/model.txt")
    assert aura("validate", manifest)[0] == 0
    change(manifest, "  planner:", "  controls: [ml]\n  planner:")
    sentence = f"{tmp_path}/old/model.txt: the model cannot be read: No such file or directory; write it again with `aura train`"
    for command in ("validate", "run"):
        assert aura(command, manifest)[::2] == (2, f"aura: {sentence}\n")


def test_a_used_folder_is_left_alone(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("precious")
    sentence = f"{tmp_path}/out: is not empty; choose another --out, or add --force to replace the run in it"
    assert aura("run", manifest, "--out", tmp_path / "out")[::2] == (2, f"aura: {sentence}\n")
    assert (tmp_path / "out" / "mine.txt").read_text() == "precious"


def test_a_folder_that_is_a_file(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    sentence = f"aura: {tmp_path}/log.csv: is a file; choose another --out\n"
    assert aura("run", manifest, "--out", tmp_path / "log.csv")[::2] == (2, sentence)


def test_a_folder_that_cannot_be_written(manifest: Path, aura: Aura) -> None:
    code, _, err = aura("run", manifest, "--out", "/proc/aura-run")
    assert code == 2
    assert err.startswith("aura: /proc/aura-run: cannot be written: ")
    assert err.endswith("; free some space or choose another --out\n")


def test_a_kafka_that_does_not_answer(manifest: Path, aura: Aura, tmp_path: Path) -> None:
    code, _, err = aura("run", manifest, "--out", tmp_path / "out", "--kafka", "127.0.0.1:9")
    assert code == 2
    assert err.startswith("aura: Kafka at 127.0.0.1:9 does not answer: ")
    assert err.endswith("; check the address or start the broker\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("address", ["localhost", "h:", ":9092", "h:many", "h:70000"])
@pytest.mark.parametrize("option", ["--kafka", "--listen"])
def test_an_address_without_a_port(option: str, address: str, manifest: Path, aura: Aura) -> None:
    code, _, err = aura("run", manifest, option, address)
    assert (code, err) == (2, f"aura: {option} {address}: is not HOST:PORT; write it like 127.0.0.1:9092\n")


def test_the_executor_that_is_not_built(manifest: Path, aura: Aura, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURA_EXECUTOR", str(tmp_path / "none"))
    sentence = f"AURA_EXECUTOR={tmp_path}/none is not an executable file; correct it or unset it"
    assert aura("run", manifest, "--out", tmp_path / "out")[::2] == (3, f"aura: {sentence}\n")


@pytest.fixture
def ollama() -> Iterator[str]:
    """A server that lists one model as Ollama does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"models": [{"name": "smollm2:135m"}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_ollama_that_is_away_is_a_warning(manifest: Path, aura: Aura) -> None:
    change(manifest, "backend: noop", "backend: ollama, model: m, endpoint: 'http://127.0.0.1:9'")
    sentence = (
        "Ollama at http://127.0.0.1:9 does not answer, so the windows of arm aura run unplanned; start it with `ollama serve`"
    )
    assert aura("validate", manifest)[::2] == (0, f"aura: warning: {sentence}\n")


def test_a_warning_names_a_model_server_without_its_login(manifest: Path, aura: Aura) -> None:
    change(manifest, "backend: noop", "backend: auto, endpoint: 'http://u:secret-word@127.0.0.1:9'")
    code, _, err = aura("validate", manifest)
    assert (code, "Ollama at http://127.0.0.1:9 does not answer" in err, "secret-word" in err) == (0, True, False)


def test_auto_says_that_it_falls_back(manifest: Path, aura: Aura) -> None:
    change(manifest, "backend: noop", "backend: auto, endpoint: 'http://127.0.0.1:9'")
    sentence = (
        "Ollama at http://127.0.0.1:9 does not answer, so the planner falls back to the heuristic; start it with `ollama serve`"
    )
    assert aura("validate", manifest)[::2] == (0, f"aura: warning: {sentence}\n")


def test_a_model_that_is_not_there_is_a_warning(manifest: Path, aura: Aura, ollama: str) -> None:
    change(manifest, "backend: noop", f"backend: ollama, model: 'big:70b', endpoint: '{ollama}'")
    sentence = (
        f"Ollama at {ollama} has no model big:70b (it has smollm2:135m), so the windows of arm aura run unplanned; "
        "run `ollama pull big:70b`"
    )
    assert aura("validate", manifest)[::2] == (0, f"aura: warning: {sentence}\n")


def test_a_model_that_is_there_is_fine(manifest: Path, aura: Aura, ollama: str) -> None:
    change(manifest, "backend: noop", f"backend: ollama, model: 'smollm2:135m', endpoint: '{ollama}'")
    assert aura("validate", manifest)[::2] == (0, "")


def test_report_of_a_folder_without_a_run(aura: Aura, tmp_path: Path) -> None:
    sentence = f"{tmp_path}/verdict.json: cannot be read: No such file or directory; name the folder of a run that was finished"
    assert aura("report", tmp_path)[::2] == (2, f"aura: {sentence}\n")


def test_load_without_a_catalogue(manifest: Path, aura: Aura) -> None:
    sentence = f"{manifest}: spec.catalog is missing; name the catalogue that is to be loaded"
    assert aura("load", manifest)[::2] == (2, f"aura: {sentence}\n")


def test_load_without_servers(manifest: Path, aura: Aura) -> None:
    change(manifest, "  cache:", "  catalog: {source: {path: log.csv}}\n  cache:")
    sentence = (
        f"{manifest}: names no server to load into; set spec.dependencies.mongodb.external.endpoint or .milvus.external.endpoint"
    )
    assert aura("load", manifest)[::2] == (2, f"aura: {sentence}\n")


def test_help_has_an_example_in_every_command(aura: Aura) -> None:
    for command in ("run", "simulate", "sweep", "train", "validate", "load", "report"):
        code, out, _ = aura(command, "--help")
        assert code == 0
        assert f"Example: aura {command} " in out


def test_version(aura: Aura) -> None:
    code, out, _ = aura("--version")
    assert code == 0
    assert out.startswith("aura ")


def test_a_surprise_is_one_sentence_and_debug_shows_the_place(
    manifest: Path, aura: Aura, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("aura_cli.commands.check_files", broken)
    assert aura("validate", manifest)[::2] == (1, "aura: RuntimeError: no such luck; `aura --debug …` shows where\n")
    monkeypatch.setattr(sys, "argv", ["aura", "--debug", "validate", str(manifest)])
    with pytest.raises(RuntimeError, match="no such luck"):
        main()
