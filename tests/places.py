"""Where the tree is, and where make put the programs that are tested."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(os.environ.get("CCS_PROGRAMS", ROOT / "build/release"))
