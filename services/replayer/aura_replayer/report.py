"""The report of a finished run, for a replayer that runs without the command `aura` around it."""

from pathlib import Path

from aura_contract.redaction import redacted_manifest
from aura_data.tables import DataError
from aura_replayer.ceilings import write_ceilings
from aura_replayer.parts import RunSettings

__all__ = ["write_report"]


def write_report(settings: RunSettings, manifest: Path) -> None:
    """Write `ceilings.json` and `report.html` into the run's folder, unless the report is there; raises DataError.

    The report quotes the manifest, so a copy of it is put beside the results, without passwords in its addresses.
    """
    from aura_evidence.report import ReportError  # noqa: PLC0415 - brings matplotlib, which takes a second
    from aura_evidence.report import write_report as write  # noqa: PLC0415

    if (settings.out / "report.html").exists():
        return
    copy = settings.out / "experiment.yaml"
    if manifest.resolve() != copy.resolve():
        copy.write_text(redacted_manifest(manifest.read_text(encoding="utf-8")), encoding="utf-8")
    write_ceilings(settings.experiment.spec, settings.base, settings.out, settings.bad_rows)
    try:
        write(settings.out)
    except ReportError as error:
        raise DataError(str(error)) from error
