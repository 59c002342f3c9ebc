"""How a command ends: every failure is one sentence on standard error and an exit code of its own."""

import sys

import typer

from aura_cli.errors import AuraError, InputError
from aura_contract.manifest import ManifestError

__all__ = ["run_app"]


def run_app(app: typer.Typer, name: str) -> None:
    """Run the command with the process's arguments; with `--debug` among them errors are raised as they are."""
    try:
        app(prog_name=name)
    except (AuraError, ManifestError) as error:
        code = error.exit_code if isinstance(error, AuraError) else InputError.exit_code
        _fail(name, error, code)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, the user gets a sentence
        _fail(name, error, 1, f"{type(error).__name__}: {error}; `{name} --debug …` shows where")


def _fail(name: str, error: Exception, code: int, text: str = "") -> None:
    if "--debug" in sys.argv:
        raise error
    for line in (text or str(error)).splitlines():
        print(f"{name}: {line}", file=sys.stderr)
    raise SystemExit(code)
