"""The report: self-contained, escaped, whole, and clear about what is wrong with a folder."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hand_made import folder_of
from sample_folder import write_sample

from aura_contract.results import WindowRecord
from aura_evidence.folder import read_folder
from aura_evidence.report import ReportError, render, write_report

HOSTILE = "<script>alert(1)</script>\"'--><img src=x onerror=alert(2)>$x^2$ \N{RIGHT-TO-LEFT OVERRIDE}&lt;"
VOID = {"meta", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """Elements in order, attributes, and a check that every element is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(folder: Path) -> tuple[str, Page]:
    text = write_report(folder).read_text(encoding="utf-8")
    return text, Page(text)


def check_harmless(text: str, page: Page) -> None:
    assert not {"script", "img", "link", "iframe", "object", "foreignobject"} & set(page.seen)
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", text)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_report_of_a_run_is_whole(tmp_path: Path) -> None:
    text, page = report(write_sample(tmp_path))
    check_harmless(text, page)
    assert page.seen.count("svg") == 11
    for words in (
        "The planner improved the cache.",
        "LLM credit: +0.77 points (95 % interval +0.54 to +0.93) over heuristic, the best of the controls.",
        "The model ollama/llama3.2:1b (2.7 s a decision) was worth +0.77 points over the best planner without a model, heuristic",
        "It did better than every control.",
        "Hit ratio by window, %",
        "LRU→OPT gap closed, %",
        "Hit ratio, %, against backend reads",
        "Prefetch precision: hit at least once, %",
        "40 % of 870",
        "frequency high, admit second_hit, 2 protected categories",
        "What the model said in its best and worst window",
        "OPT (Belady)",
        "clairvoyant prefetch",
        "held_out",
        "timeout 8",
        "Best window:",
        "Worst window:",
        "milk rises before the weekend",
        "item:0 Whole milk 0",
        "dairy > milk: long",
        "aura run experiment.yaml --out repeated aura report repeated",
        "5f" * 32,
        "everyEvents: 5000",
        "# a comment with <b>markup</b>",
    ):
        assert words in page.text, words
    assert "How much a slower planner would lose" not in page.text
    assert len(text) < 400_000


def test_what_a_slower_planner_would_lose(tmp_path: Path) -> None:
    folder = write_sample(tmp_path, 12, sensitivity=True)
    assert list(read_folder(folder).sensitivity) == [0, 1, 10]
    text, page = report(folder)
    check_harmless(text, page)
    assert "How much a slower planner would lose" in page.text
    assert "× 0 43.10 % +2.30 × 1 42.90 % +2.10 × 10 40.10 % +0.40" in page.text


def test_untrusted_text_is_only_ever_text(tmp_path: Path) -> None:
    planners = {"baseline": None, "aura": HOSTILE, "heuristic": "heuristic"}
    write_sample(tmp_path, 12, title=HOSTILE, answer=HOSTILE * 40, reason=HOSTILE, planners=planners)
    text, page = report(tmp_path)
    check_harmless(text, page)
    assert "<script" not in text
    assert "alert(1)" in page.text
    assert "What the model answered" in page.text


def test_levers_models_and_plan_ids_are_only_ever_text(tmp_path: Path) -> None:
    write_sample(tmp_path, 40, sensitivity=True)
    for name, ours in (("plans.jsonl", '"bread"'), ("plans.jsonl", "llama3.2:1b"), ("windows.jsonl", '"aura-')):
        path = tmp_path / name
        theirs = json.dumps(HOSTILE)[1:-1]
        path.write_text(path.read_text().replace(ours, ours[:-1] + theirs + ours[-1]))
    text, page = report(tmp_path)
    check_harmless(text, page)
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert "The model ollama/llama3.2:1<script>" in page.text


@pytest.mark.parametrize(
    ("hits", "words"),
    [
        (600, "It did better than every control."),
        (500, "It cannot be told from noop."),
        (400, "noop did better, without a model."),
    ],
)
def test_a_model_is_told_what_it_was_worth(record: Callable[..., WindowRecord], hits: int, words: str) -> None:
    served = {"baseline": 450, "aura": hits, "noop": 500}
    folder = folder_of([record(arm, window, hits=count) for window in range(6) for arm, count in served.items()])
    page = Page(render(folder))
    assert f"The model ollama was worth {(hits - 500) / 10:+.2f} points".replace("-", "−") in page.text
    assert words in page.text
    assert "which was the cheapest too" in page.text
    assert "Nothing was prefetched after warm-up" in page.text


def test_a_model_without_controls_has_no_credit(record: Callable[..., WindowRecord]) -> None:
    page = Page(render(folder_of([record(arm, window) for window in range(6) for arm in ("baseline", "aura")])))
    assert "No control ran beside the model ollama" in page.text
    assert "LLM credit" not in page.text


def test_arm_names_are_escaped_in_pictures(tmp_path: Path) -> None:
    write_sample(tmp_path, 8)
    for name in ("windows.jsonl", "verdict.json"):
        path = tmp_path / name
        path.write_text(path.read_text().replace('"noop"', '"<script>$a_1$</script>"'))
    text, page = report(tmp_path)
    check_harmless(text, page)
    assert text.count("&lt;script&gt;$a_1$&lt;/script&gt;") >= 3


def test_the_same_folder_gives_the_same_report(tmp_path: Path) -> None:
    write_sample(tmp_path, 10)
    assert report(tmp_path)[0] == report(tmp_path)[0]


def test_no_ceilings_no_plans_no_controls(tmp_path: Path) -> None:
    write_sample(tmp_path, 10, ceilings=False, planners={"baseline": None, "aura": "noop"})
    (tmp_path / "plans.jsonl").write_text("")
    (tmp_path / "receipts.jsonl").write_text("")
    text, page = report(tmp_path)
    check_harmless(text, page)
    assert "OPT" not in page.text
    assert "The executor refused nothing." in page.text
    assert "No plan had been applied by then." in page.text


@pytest.mark.parametrize("windows", [1, 2, 3, 200])
def test_any_number_of_windows(tmp_path: Path, windows: int) -> None:
    text, page = report(write_sample(tmp_path, windows))
    check_harmless(text, page)
    assert ("Strong lines are moving means" in page.text) == (windows == 200)


def test_many_arms(tmp_path: Path) -> None:
    planners = {"baseline": None, "aura": "auto"} | {f"control-{n}-with-a-rather-long-name": "random" for n in range(8)}
    write_sample(tmp_path, 6, planners={"baseline": None, "aura": "auto"})
    records = (tmp_path / "windows.jsonl").read_text()
    aura = [line for line in records.splitlines() if '"arm":"aura"' in line]
    more = [line.replace('"arm":"aura"', f'"arm":"{name}"') for name in list(planners)[2:] for line in aura]
    (tmp_path / "windows.jsonl").write_text(records + "\n".join(more) + "\n")
    verdict = (tmp_path / "verdict.json").read_text()
    start = verdict.index('"aura": {')
    body = verdict[start + len('"aura": ') : verdict.index("\n    }", start) + 6]
    (tmp_path / "verdict.json").write_text(
        verdict[:start] + "".join(f'"{name}": {body},\n' for name in list(planners)[2:]) + verdict[start:]
    )
    check_harmless(*report(tmp_path))


@pytest.mark.parametrize("name", ["verdict.json", "windows.jsonl", "plans.jsonl", "receipts.jsonl", "experiment.yaml"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_sample(tmp_path, 4)
    (tmp_path / name).unlink()
    with pytest.raises(
        ReportError, match=rf"{re.escape(name)}: is missing; (the run did not finish|copy the manifest)"
    ) as caught:
        write_report(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("verdict.json", b'{"experiment":', "verdict.json: is not a verdict"),
        ("verdict.json", b"{}", "verdict.json: is not a verdict"),
        ("verdict.json", b"\xff\xfe", "verdict.json: is not UTF-8 text"),
        ("windows.jsonl", b"", "windows.jsonl: holds no windows"),
        ("windows.jsonl", b'{"arm":"aura"', "windows.jsonl, line 1: is not a WindowRecord"),
        ("plans.jsonl", b'\n{"window":-1}\n', "plans.jsonl, line 2: is not a Plan"),
        ("receipts.jsonl", b"[]\n", "receipts.jsonl, line 1: is not a Receipt"),
        ("experiment.yaml", b"a: [", "experiment.yaml: is not valid YAML"),
        ("experiment.yaml", b"kind: Pod", "experiment.yaml: "),
        ("ceilings.json", b"{", "ceilings.json: does not hold ceilings"),
        ("ceilings.json", b'{"lru": {"hit_ratio": 7}}', "ceilings.json: does not hold ceilings"),
        ("sensitivity.json", b"{", "sensitivity.json: does not hold hit ratios by latency factor"),
        ("sensitivity.json", b"[]", "sensitivity.json: does not hold hit ratios by latency factor"),
        ("sensitivity.json", b'{"x1": {"hit_ratio": 0.4, "delta_points": 1}}', "sensitivity.json: does not hold hit ratios"),
        ("sensitivity.json", b'{"1": {"hit_ratio": 0.4}}', "sensitivity.json: does not hold hit ratios"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write_sample(tmp_path, 4)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReportError) as caught:
        write_report(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    write_sample(tmp_path, 4)
    path = tmp_path / "windows.jsonl"
    text = path.read_text()
    path.write_text(text.replace('"arm":"noop"', '"arm":"bandit"'))
    with pytest.raises(ReportError, match=r"has the arm 'bandit' that verdict.json has not"):
        write_report(tmp_path)
    path.write_text(re.sub(r'"hits":\d+', '"hits":1', text))
    with pytest.raises(ReportError, match="are not its requests"):
        write_report(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="nowhere: is not a folder"):
        write_report(tmp_path / "nowhere")


def test_a_report_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_sample(tmp_path, 4)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(ReportError, match=r"report.html: cannot be written"):
        write_report(tmp_path)
    assert not list(tmp_path.glob(".report*"))
