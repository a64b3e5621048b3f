"""Unpacks an archive with its file modes, if there is no `unzip`."""

import sys
import zipfile
from pathlib import Path

archive, folder = sys.argv[1:]
with zipfile.ZipFile(archive) as content:
    for entry in content.infolist():
        path = Path(content.extract(entry, folder))
        path.chmod(entry.external_attr >> 16 & 0o777)
