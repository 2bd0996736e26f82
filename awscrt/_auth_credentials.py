"""Owns AWS credentials."""

from __future__ import annotations

import datetime as dt

from . import NativeResource, _awscrt
from ._auth_arguments import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

_NEVER = 0xFFFF_FFFF_FFFF_FFFF
"""What stands for no expiration in `aws_credentials_options.expiration_timepoint_seconds`."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class AwsCredentials(NativeResource):
    """A set of AWS credentials. It never changes, and no `repr` and no error shows what is in it.

    Args:
        access_key_id: The access key ID.
        secret_access_key: The secret access key.
        session_token: The session token of temporary credentials; `None` for others.
        expiration: When they cease to be valid, to the second. A naive datetime is in local time. `None` for never.

    Raises:
        TypeError: An argument is of another type.
        ValueError: A key is empty, a text has a CR, LF or NUL, or the expiration is before 1970 or not representable.
    """

    __slots__ = ()

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: Optional[str] = None,
        expiration: Optional[dt.datetime] = None,
    ) -> None:
        super().__init__()
        self._binding = _awscrt.credentials_new(
            access_key_id,
            secret_access_key,
            session_token,
            _NEVER if expiration is None else milliseconds("expiration", expiration) // 1000,
        )

    def __deepcopy__(self, memo: Any) -> AwsCredentials:
        """The same object: it never changes."""
        return self

    @property
    def access_key_id(self) -> str:
        """The access key ID. `None` of anonymous credentials, which native providers may give."""
        return _awscrt.credentials_access_key_id(self)

    @property
    def secret_access_key(self) -> str:
        """The secret access key. `None` of anonymous credentials."""
        return _awscrt.credentials_secret_access_key(self)

    @property
    def session_token(self) -> Optional[str]:
        """The session token, or `None`."""
        return _awscrt.credentials_session_token(self)

    @property
    def expiration(self) -> Optional[dt.datetime]:
        """When they cease to be valid, in UTC; `None` for never.

        An expiration beyond the year 9999 is that of the last second of it.
        """
        seconds = _awscrt.credentials_expiration(self)
        if seconds == _NEVER:
            return None
        try:
            return _EPOCH + dt.timedelta(seconds=seconds)
        except OverflowError:
            return dt.datetime.max.replace(microsecond=0, tzinfo=dt.timezone.utc)


def from_binding(binding: object) -> AwsCredentials:
    """The Python object for credentials that a provider gave."""
    credentials = AwsCredentials.__new__(AwsCredentials)
    NativeResource.__init__(credentials)
    credentials._binding = binding
    return credentials


AwsCredentials.__module__ = "awscrt.auth"
