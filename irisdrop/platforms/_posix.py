"""What the kind `folder` needs of a POSIX system."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

assert sys.platform != "win32"  # which has none of this

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EINVAL)


def put_into_place(part: Path, target: Path) -> None:
    """Give a finished file its name; FileExistsError where the name is taken. A rename alone would overwrite."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # No hard links here (FAT, some shares): claim the name, then take its place.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        part.replace(target)
    else:
        part.unlink()
    _sync(target.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise  # a share need not be able to
    finally:
        os.close(handle)
