"""The report: self-contained, escaped, whole, and clear about what is wrong with a folder."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_folder import write_sample

from aura_evidence.charts import curves
from aura_evidence.facts import gather
from aura_evidence.figure import clean, spread
from aura_evidence.folder import read_folder
from aura_evidence.report import ReportError, write_report

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
    assert page.seen.count("svg") == 7
    for words in (
        "The planner improved the cache.",
        "Against the best of the other planners (arm heuristic)",
        "Hit ratio by window, %",
        "OPT (Belady)",
        "clairvoyant prefetch",
        "held_out",
        "timeout 8",
        "Best window:",
        "Worst window:",
        "milk rises before the weekend",
        "item:0 Whole milk 0",
        "dairy > milk: long",
        "aura run experiment.yaml",
        "5f" * 32,
        "everyEvents: 5000",
        "# a comment with <b>markup</b>",
    ):
        assert words in page.text, words
    assert len(text) < 400_000


def test_untrusted_text_is_only_ever_text(tmp_path: Path) -> None:
    planners = {"baseline": None, "aura": HOSTILE, "heuristic": "heuristic"}
    write_sample(tmp_path, 12, title=HOSTILE, answer=HOSTILE * 40, reason=HOSTILE, planners=planners)
    text, page = report(tmp_path)
    check_harmless(text, page)
    assert "<script" not in text
    assert "alert(1)" in page.text
    assert "What the model answered" in page.text


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


def test_facts_hold_what_the_tables_say(tmp_path: Path) -> None:
    facts = gather(read_folder(write_sample(tmp_path, 20)))
    assert [arm.name for arm in facts.arms] == ["baseline", "aura", "heuristic", "noop"]
    assert facts.baseline.gain is None
    assert facts.credit is not None
    assert facts.credit.control == "heuristic"
    aura = facts.planned[0]
    assert aura.gain is not None
    assert aura.gain.points == pytest.approx(facts.verdict.delta_points, abs=1e-4)
    assert (aura.gain.low, aura.gain.high) == pytest.approx(facts.verdict.interval, abs=1e-4)
    assert [number for _, _, number in facts.refusals] == sorted((number for _, _, number in facts.refusals), reverse=True)
    assert sum(share.count for share in aura.outcomes) == 19
    assert aura.gap_closed == pytest.approx((aura.result.hit_ratio - 0.412) / (0.642 - 0.412))


def test_a_late_plan_is_not_one_without_anything_to_change(tmp_path: Path) -> None:
    folder = read_folder(write_sample(tmp_path, 20))
    aura = folder.verdict.arms["aura"]
    plans = aura.plans.model_copy(update={"decided": 19, "applied": 18, "refused": 0, "unplanned": {"late": 1}})
    arms = folder.verdict.arms | {"aura": aura.model_copy(update={"plans": plans})}
    facts = gather(replace(folder, verdict=folder.verdict.model_copy(update={"arms": arms})))
    assert [(share.kind, share.label, share.count) for share in facts.planned[0].outcomes] == [
        ("applied", "applied", 18),
        ("unplanned", "unplanned: late", 1),
    ]


def test_pictures_keep_their_text(tmp_path: Path) -> None:
    picture = str(curves(gather(read_folder(write_sample(tmp_path, 20))), "x", wide=False))
    assert picture.startswith('<svg viewBox="0 0 ')
    assert "xmlns" not in picture
    assert ">Hit ratio by window, %</text>" in picture
    assert "var(--arm-1,#d9480f)" in picture


@given(st.lists(st.floats(0, 100), max_size=6))
def test_labels_are_moved_apart_in_their_order(values: list[float]) -> None:
    places = spread(values, 1.0)
    assert len(places) == len(values)
    ordered = [place for _, place in sorted(zip(values, places, strict=True))]
    assert all(high - low >= 0.9 for low, high in pairwise(ordered))


def test_labels_have_one_short_line() -> None:
    assert clean("a\n\tb\0c") == "a b c"
    assert len(clean("x" * 99)) == 26
