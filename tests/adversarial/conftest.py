"""The suite is also a program (`python tests/adversarial/suite.py`), so its parts are found beside it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
