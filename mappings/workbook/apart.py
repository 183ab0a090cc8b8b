"""Old binary workbooks (.xls), read in a process of their own.

Rule of this file: the reader of this format takes as much memory as a file says, and a few kilobytes can say gigabytes.
So it runs where it can be stopped: within limits of memory and time, and what goes wrong there goes wrong there alone.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Collection
from typing import Any

from mappings.workbook.cell import Shown, shown
from mappings.workbook.findings import Refused

MEMORY = 2**30
"""Bytes that the process may take, besides what it has once its libraries are loaded."""
SECONDS = 60
_DAMAGED, _PASSWORD, _TOO_MUCH = 3, 4, 5


def read_apart(
    content: bytes, name: str, wanted: Collection[str]
) -> tuple[tuple[str, ...], dict[str, list[list[Shown]]]]:
    """The names of all sheets, and the columns of those that are wanted. Raises Refused."""
    program = "from mappings.workbook.apart import child; child()"
    command = [sys.executable, "-c", program, *wanted]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=3 * SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Refused("too_many_cells", f"{name} takes too long to read") from None
    if done.returncode == _PASSWORD:
        raise Refused("encrypted", f"{name} is protected by a password")
    if done.returncode == _DAMAGED:
        raise Refused("damaged", f"{name} is cut off or damaged, and cannot be read")
    if done.returncode:
        raise Refused("too_many_cells", f"{name} takes more than {MEMORY / 2**30:.0f} GB or {SECONDS} s to read")
    answer = json.loads(done.stdout)
    sheets = {
        sheet: [[Shown(*cell) for cell in column] for column in columns] for sheet, columns in answer["cells"].items()
    }
    return tuple(answer["sheets"]), sheets


def child() -> None:
    """What runs in the process: a workbook on stdin, the wanted sheets as arguments, JSON on stdout."""
    import pandas as pd
    import python_calamine

    content = sys.stdin.buffer.read()
    _limit()
    try:
        excel = pd.ExcelFile(io.BytesIO(content), engine="calamine")
        names = [str(sheet) for sheet in excel.sheet_names]
        cells = {sheet: _columns(excel, sheet) for sheet in sys.argv[1:] if sheet in names}
    except MemoryError:
        sys.exit(_TOO_MUCH)
    except python_calamine.PasswordError:
        sys.exit(_PASSWORD)
    except BaseException:  # a panic of the reader is no Exception
        sys.exit(_DAMAGED)
    json.dump({"sheets": names, "cells": cells}, sys.stdout)


def _columns(excel: Any, sheet: str) -> list[list[Shown]]:
    import pandas as pd

    frame = pd.read_excel(excel, sheet_name=sheet, header=None, dtype=object, na_filter=False)
    return [[shown(cell) for cell in frame[column]] for column in frame.columns]


def _limit() -> None:
    """Where the system can: no more memory and time than is fair."""
    try:
        import resource
    except ImportError:
        return
    with open("/proc/self/statm") if sys.platform == "linux" else io.StringIO("0") as told:
        used = int(told.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
